/** Cross-origin requests: the Fetch standard, section "CORS protocol" (fetch.spec.whatwg.org). */
import type { Cors, HeaderEdits, HeaderValue } from '../ir/ir';
import type { MeshAnswer } from './decision';
import { matchesText } from './match';
import type { RequestView } from './match';

/**
 * The answer to a preflight request; null for any other. It carries no credentials, so nothing about access is looked at, or said. An origin that is
 * not allowed is told everything but that it may, which is what a browser goes by.
 */
export function preflightAnswer(cors: Cors, view: RequestView): MeshAnswer | null {
  if (view.method !== 'OPTIONS' || !view.headers['origin'] || !view.headers['access-control-request-method']) return null;
  const list = (name: string, values: readonly string[]): readonly HeaderValue[] =>
    values.length > 0 ? [{ name, value: values.join(',') }] : [];
  const headers = [
    ...allowedOrigin(cors, view),
    ...credentials(cors),
    ...list('access-control-allow-methods', cors.methods),
    ...list('access-control-allow-headers', cors.headers),
    ...list('access-control-max-age', cors.maxAgeMs === null ? [] : [String(Math.floor(cors.maxAgeMs / 1000))]),
  ];
  return { status: 200, headers: Object.fromEntries(headers.map(({ name, value }) => [name, value])), body: null };
}

/** What answers carry besides: to whom they may be shown, and for caches that this depends on who asks (section "CORS protocol and HTTP caches"). */
export const varyEdits: HeaderEdits = { remove: [], set: [], add: [{ name: 'vary', value: 'origin' }] };
export function originEdits(cors: Cors, view: RequestView): HeaderEdits {
  const origin = allowedOrigin(cors, view);
  return { remove: [], set: origin.length > 0 ? [...origin, ...sharedWith(cors)] : [], add: [] };
}

/** Beside the origin itself, on answers that it may read. */
export const sharedWith = (cors: Cors): readonly HeaderValue[] => [
  ...credentials(cors),
  ...(cors.exposed.length > 0 ? [{ name: 'access-control-expose-headers', value: cors.exposed.join(',') }] : []),
];
const credentials = (cors: Cors): readonly HeaderValue[] =>
  cors.credentials ? [{ name: 'access-control-allow-credentials', value: 'true' }] : [];
function allowedOrigin(cors: Cors, view: RequestView): readonly HeaderValue[] {
  const origin = view.headers['origin'];
  return origin && cors.origins.some((match) => matchesText(match, origin)) ? [{ name: 'access-control-allow-origin', value: origin }] : [];
}
