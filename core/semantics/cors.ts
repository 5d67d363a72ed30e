/** Cross-origin requests: the Fetch standard, section "CORS protocol" (fetch.spec.whatwg.org). */
import type { Cors, HeaderEdits, HeaderValue } from '../ir/ir';
import type { MeshAnswer } from './decision';
import { matchesText } from './match';
import type { RequestView } from './match';

/** The answer to a preflight request; null for any other. It carries no credentials, so nothing about access is looked at, or said. */
export function preflightAnswer(cors: Cors, view: RequestView): MeshAnswer | null {
  if (view.method !== 'OPTIONS' || !view.headers['origin'] || !view.headers['access-control-request-method']) return null;
  if (allowedOrigin(cors, view) === null) return { status: 200, headers: {}, body: null };
  const headers: HeaderValue[] = [...common(cors, view)];
  const add = (name: string, values: readonly string[]): void => {
    if (values.length > 0) headers.push({ name, value: values.join(',') });
  };
  add('access-control-allow-methods', cors.methods);
  add('access-control-allow-headers', cors.headers);
  add('access-control-max-age', cors.maxAgeMs === null ? [] : [String(Math.floor(cors.maxAgeMs / 1000))]);
  return { status: 200, headers: Object.fromEntries(headers.map(({ name, value }) => [name, value])), body: null };
}

/** What answers to any other request from another origin carry besides. */
export function corsEdits(cors: Cors, view: RequestView): readonly HeaderEdits[] {
  if (allowedOrigin(cors, view) === null) return [];
  const exposed = cors.exposed.length > 0 ? [{ name: 'access-control-expose-headers', value: cors.exposed.join(',') }] : [];
  return [{ remove: [], set: [...common(cors, view), ...exposed], add: [] }];
}

function allowedOrigin(cors: Cors, view: RequestView): string | null {
  const origin = view.headers['origin'];
  return origin && cors.origins.some((match) => matchesText(match, origin)) ? origin : null;
}
function common(cors: Cors, view: RequestView): readonly HeaderValue[] {
  return [
    { name: 'access-control-allow-origin', value: view.headers['origin'] ?? '' },
    ...(cors.credentials ? [{ name: 'access-control-allow-credentials', value: 'true' }] : []),
  ];
}
