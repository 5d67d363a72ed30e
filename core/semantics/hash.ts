/** Which endpoint a request sticks to: what of it is hashed. */
import { assertNever } from '../lib/brand';
import type { HashKey } from '../ir/resilience';
import type { FirstHop, RequestView } from './match';

/** `made`: the proxy gives the client a cookie with a value of its own, so that its next request comes to the same endpoint. `secure`: it never goes back in clear. */
export type HashReading =
  | { readonly kind: 'value'; readonly of: string; readonly value: string }
  | { readonly kind: 'made'; readonly cookie: string; readonly forMs: number; readonly secure: boolean }
  | { readonly kind: 'source' }
  /** Nothing to go by: any endpoint, by chance. */
  | { readonly kind: 'none' };

/** Of a request as it is sent on, that came by `scheme`. */
export function readHash(key: HashKey, { headers, path }: Pick<RequestView, 'headers' | 'path'>, scheme: FirstHop['scheme']): HashReading {
  switch (key.kind) {
    case 'source':
      return { kind: 'source' };
    case 'header':
      return valueOf(`header ${key.name}`, Object.hasOwn(headers, key.name) ? headers[key.name] : undefined);
    case 'query':
      return valueOf(`query parameter ${key.name}`, firstParameter(key.name, path));
    case 'cookie': {
      const value = firstCookie(key.name, Object.hasOwn(headers, 'cookie') ? headers['cookie'] : undefined);
      if ((value === undefined || value === '') && key.madeForMs !== null)
        return { kind: 'made', cookie: key.name, forMs: key.madeForMs, secure: scheme === 'https' };
      return valueOf(`cookie ${key.name}`, value === '' ? undefined : value);
    }
    default:
      return assertNever(key);
  }
}
const valueOf = (of: string, value: string | undefined): HashReading =>
  value === undefined ? { kind: 'none' } : { kind: 'value', of, value };

/** Not decoded, as routes read it. */
function firstParameter(name: string, path: string): string | undefined {
  const query = path.indexOf('?');
  if (query < 0) return undefined;
  for (const parameter of path.slice(query + 1).split('&')) {
    const equals = parameter.indexOf('=');
    if ((equals < 0 ? parameter : parameter.slice(0, equals)) === name) return equals < 0 ? '' : parameter.slice(equals + 1);
  }
  return undefined;
}
/** The first of its name, without the quotes that a value may stand in (RFC 6265 section 4.1.1). */
function firstCookie(name: string, header: string | undefined): string | undefined {
  for (const pair of header?.split(';') ?? []) {
    const equals = pair.indexOf('=');
    if (equals < 0 || pair.slice(0, equals).trim() !== name) continue;
    const value = pair.slice(equals + 1).trim();
    return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
  }
  return undefined;
}
