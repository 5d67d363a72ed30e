/** Formats of text: units, names, addresses. Each refusal shows how to write it. */
import { groupsOf, matches, splitText, toNumber } from './intrinsics';
import { type Place, refuse } from './policy-error';
import { type Reader, show, text } from './read';
import type { PolicyCode } from './policy-error';

const format =
  (pattern: RegExp, code: PolicyCode, what: string, help: string): Reader<string> =>
  (value, at) => {
    const given = text(value, at);
    if (given.length > 253 || !matches(pattern, given)) return refuse(at, code, `${show(value)} is not ${what}`, help);
    return given;
  };

const durationHelp = 'write a number above zero and a unit: `500ms`, `2s`, `5m`, `1h`';
export const duration: Reader<string> = (value, at) => {
  const given = format(/^[0-9]{1,9}(\.[0-9]{1,6})?(ms|s|m|h)$/, 'MW2107', 'a duration', durationHelp)(value, at);
  if (matches(/^[0.]+[a-z]+$/, given))
    return refuse(at, 'MW2107', `${show(value)} is no time at all (to some proxies it means for ever)`, durationHelp);
  return given;
};
export const percent: Reader<string> = (value, at) => {
  const help = 'write a number from 0 to 100 and a percent sign: `10%`, `0.5%`';
  const given = format(/^[0-9]{1,3}(\.[0-9]{1,6})?%$/, 'MW2108', 'a percentage', help)(value, at);
  if (percentOf(given) > 100) return refuse(at, 'MW2108', `${show(value)} is more than all`, help);
  return given;
};
export const percentOf = (percentage: string): number => toNumber(percentage.slice(0, -1));
export const rate = format(/^[1-9][0-9]{0,11}\/[smhd]$/, 'MW2109', 'a rate', 'write a count and a period: `100/s`, `5000/m`');
export const semVer = format(
  /^(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})$/,
  'MW2109',
  'a version',
  'write three numbers: `1.4.0`',
);
export const httpsUrl = format(
  /^https:\/\/[a-z0-9.-]+(:[0-9]{1,5})?(\/[^\s?#]*)?$/,
  'MW2109',
  'an https address',
  'write `https://` and a host',
);
export const isoDate: Reader<string> = (value, at) => {
  const help = 'write year, month and day: `2027-01-31`';
  const given = format(/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/, 'MW2109', 'a date', help)(value, at);
  const [year = 0, month = 0, day = 0] = splitText(given, '-').map(toNumber);
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1];
  if (days === undefined || day < 1 || day > days) return refuse(at, 'MW2109', `${show(value)} is no day of the calendar`, help);
  return given;
};
export const cidr: Reader<string> = (value, at) => {
  const help = 'write an address and a prefix length: `10.0.0.0/8`, `fd00::/8`';
  const given = text(value, at);
  const v4 = groupsOf(/^([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\/([0-9]{1,2})$/, given);
  if (v4) {
    const parts = v4.slice(1).map(toNumber);
    if (parts.slice(0, 4).every((part) => part <= 255) && (parts[4] ?? 99) <= 32) return given;
  }
  const v6 = groupsOf(/^([0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7})\/([0-9]{1,3})$/, given);
  if (v6 && toNumber(v6[2]) <= 128 && isIpv6(v6[1] ?? '')) return given;
  return refuse(at, 'MW2109', `${show(value)} is not a network`, help);
};
function isIpv6(address: string): boolean {
  const halves = splitText(address, '::');
  if (halves.length > 2 || address.includes(':::')) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : splitText(half, ':')));
  return groups.every((group) => group !== '') && (halves.length === 2 ? groups.length < 8 : groups.length === 8);
}

const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
/** A DNS label (RFC 1123): what Kubernetes and SPIFFE ids take. */
export const name = format(label, 'MW2124', 'a name', 'write lower-case letters, digits and hyphens, at most 63: `book-info`');
export const accountName = format(
  /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/,
  'MW2124',
  'the name of a service account',
  'write lower-case letters, digits, dots and hyphens',
);
export const versionName = format(
  /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/,
  'MW2124',
  'the name of a version',
  'write what the version label says: `v1`',
);
export const plainKey = format(/^[A-Za-z][A-Za-z0-9-]{0,62}$/, 'MW2124', 'a name', 'write letters, digits and hyphens, at most 63');
export const trustDomain = format(
  /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/,
  'MW2124',
  'a trust domain',
  'write a domain in lower case: `acme.example`',
);
const hostPattern = /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;
export const host = format(hostPattern, 'MW2124', 'a host', 'write an exact host in lower case, without a port: `shop.acme.example`');
/** Exact, or with one leading wildcard label. */
export const hostOrUnder: Reader<string> = (value, at) => {
  const given = text(value, at);
  host(given.startsWith('*.') ? given.slice(2) : given, at);
  return given;
};
/** The same, or `*` alone. */
export const hostOrWildcard: Reader<string> = (value, at) => (value === '*' ? value : hostOrUnder(value, at));
/** The same, or an IP address; whether it is one in its own spelling is for `check` to say. */
export const hostOrAddress: Reader<string> = (value, at) => {
  const given = text(value, at);
  return matches(/^[0-9a-f:]{2,39}$/, given) && given.includes(':') ? given : hostOrWildcard(given, at);
};
/** `namespace/name`. */
export const namespacedName = format(
  /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\/[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/,
  'MW2124',
  'a namespace and a name',
  'write both with a slash between them: `platform/edge-tls`',
);
export const podLabel = format(
  /^([a-z0-9.-]{1,190}\/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?=([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/,
  'MW2124',
  'a pod label',
  'write `name=value`: `app=reviews`',
);
export const headerName = format(
  /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/,
  'MW2124',
  'the name of a header',
  'write a header as on the wire: `end-user`',
);

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', '*'];
const lineHelp = 'write a method, one space and a path template: `GET /reviews/{id}`, `* /static/{file...}`';
/** A request line: one method, one space, one path template. Whether its text is canonical is looked at again when the mesh is known. */
export const requestLine: Reader<string> = (value, at) => {
  const given = text(value, at);
  const space = given.indexOf(' ');
  if (given.length > 2048 || space < 0 || !methods.includes(given.slice(0, space)))
    return refuse(at, 'MW2117', `${show(value)} is not a request`, lineHelp);
  const wrong = wrongPath(given.slice(space + 1));
  if (wrong !== null) return refuse(at, 'MW2117', `${show(value)} is not a request: ${wrong}`, lineHelp);
  return given;
};
/** Why a text is no path template; null if it is one. */
export function wrongPath(path: string): string | null {
  if (!path.startsWith('/')) return 'the path does not start with `/`';
  if (path === '/') return null;
  const segments = splitText(path.slice(1), '/');
  const seen: string[] = [];
  for (let i = 0; i < segments.length; i++) {
    const segment = segments[i] ?? '';
    if (segment === '' && i < segments.length - 1) return 'the path holds `//`';
    if (segment === '') continue;
    if (matches(/^\.+$/, segment)) return `the segment \`${segment}\` climbs`;
    const parameter = groupsOf(/^\{([A-Za-z_][A-Za-z0-9_]{0,62})(\.\.\.)?\}$/, segment);
    if (parameter) {
      if (parameter[2] !== undefined && i < segments.length - 1) return `\`${segment}\` takes the rest, so it must be last`;
      if (seen.includes(parameter[1] ?? '')) return `\`{${parameter[1]}}\` is written twice`;
      seen.push(parameter[1] ?? '');
      continue;
    }
    if (matches(/[{}]/, segment)) return `\`${segment}\` is neither a plain segment nor a whole \`{parameter}\``;
    if (!matches(/^[\x21-\x7e]+$/, segment) || matches(/[?#\\;"<>^`|[\]]/, segment))
      return `the segment \`${segment}\` holds a character that no canonical path has`;
  }
  return null;
}
export const grpcMethod = format(
  /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+\/[A-Za-z_][A-Za-z0-9_]*$/,
  'MW2117',
  'a gRPC method',
  'write package, service and method: `books.v1.Reviews/Get`',
);

/** A regular expression of the common part of RE2 and JavaScript; whether RE2 takes it is looked at when it is lowered. */
export function regexText(value: unknown, at: Place): string {
  const given = typeof value === 'string' ? value : '';
  if (given === '' || given.length > 1024)
    return refuse(at, 'MW2117', 'a pattern must be a text of 1 to 1024 characters', 'write a regular expression as RE2 takes it');
  if (matches(/\(\?[=!<]|\\[1-9]/, given))
    return refuse(
      at,
      'MW2117',
      `\`${given}\` looks ahead, behind or back, which RE2 does not`,
      'write it without look-around and back references',
    );
  return given;
}
