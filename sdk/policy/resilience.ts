/** How requests are tried and how callers reach endpoints: the readers of `retry`, `connections`, `eject`, `health`, `balance`, `locality`. */
import type {
  WireBalance,
  WireConnections,
  WireEjection,
  WireHashKey,
  WireHealth,
  WireLimits,
  WireLocality,
  WireRetry,
} from '../../core/declarations/declaration';
import { freeze, hasOwn, keysOf, matches } from './intrinsics';
import { make, madeOf } from './made';
import type { Plain } from './plain';
import { type Place, refuse } from './policy-error';
import { type Reader, atLeastOne, list, named, record, recordOf, show, text, whole, word } from './read';
import { duration, headerName, percent, wrongPath } from './units';
import { verb } from './verb';

const retryWord = word(
  '5xx',
  'gateway-error',
  'connect-failure',
  'reset',
  'reset-before-request',
  'refused-stream',
  'retriable-4xx',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'unavailable',
  'resource-exhausted',
);
/** Statuses that an application answers and that another try may change. */
const retryStatuses = [409, 425, 500, 501, 502, 503, 504, 507, 508];
const retryOn: Reader<string | number> = (value, at) => {
  if (typeof value !== 'number') return retryWord(value, at);
  if (retryStatuses.includes(value)) return value;
  const why = value === 403 ? 'who is denied once is denied again' : 'what the client or the mesh has to put right stays as it is';
  return refuse(at, 'MW2125', `\`${value}\` is no status to try again on: ${why}`, `write one of ${retryStatuses.join(', ')}, or a word`);
};
const exactly =
  <const T extends true>(only: T): Reader<T> =>
  (value, at) =>
    value === only ? only : refuse(at, 'MW2101', `${show(value)} where only \`${only}\` is meant`, 'leave the key out, or write `true`');

export const retry: Reader<WireRetry | 'none'> = (value, at) => (value === 'none' ? 'none' : retryFields(value, at));
const retryFields = record(
  { atMost: whole(1, 5, 'count of retries'), perTry: duration, on: list(retryOn, { unique: 'reason' }) },
  {
    budget: percent,
    backOff: record({ base: duration, max: duration }, {}),
    hedge: exactly(true),
    methods: word('idempotent', 'all'),
  },
);

const count = (what: string): Reader<number> => whole(1, 1_000_000, what);
const limitFields = {
  max: count('count of connections'),
  pending: count('count of requests'),
  requests: count('count of requests'),
  retries: count('count of retries'),
  connectTimeout: duration,
};
const keepAlive = record({ after: duration, every: duration, probes: whole(1, 100, 'count of probes') }, {});
export const limits: Reader<WireLimits> = atLeastOne(record({}, limitFields), 'a set of limits');
export const connections: Reader<WireConnections> = atLeastOne(
  record(
    {},
    {
      ...limitFields,
      perConnection: count('count of requests'),
      streams: count('count of requests'),
      idle: duration,
      maxAge: duration,
      keepAlive,
      ping: record({ every: duration, timeout: duration }, {}),
    },
  ),
  'a set of limits',
);

const rate = { hosts: whole(1, 10_000, 'count of endpoints'), requests: whole(1, 1_000_000, 'count of requests') };
/** A number of standard deviations, to a thousandth. */
const deviations: Reader<number> = (value, at) =>
  typeof value === 'number' && value > 0 && value <= 10 && matches(/^[0-9]+(\.[0-9]{1,3})?$/, `${value}`)
    ? value
    : refuse(at, 'MW2125', `${show(value)} is no number of standard deviations`, 'write a number up to 10, such as `1.9`');
const causes = {
  consecutive5xx: whole(1, 10_000, 'count of answers'),
  gatewayFailures: whole(1, 10_000, 'count of answers'),
  localFailures: whole(1, 10_000, 'count of failures'),
  successRate: record({ deviations, ...rate }, {}),
  failureShare: record({ above: percent, ...rate }, {}),
};
const ejectionFields = record({ for: duration, atMost: percent }, { ...causes, forAtMost: duration, every: duration });
export const ejection: Reader<WireEjection | 'none'> = (value, at) => {
  if (value === 'none') return 'none';
  const read = ejectionFields(value, at);
  for (const cause of keysOf(causes)) if (hasOwn(read, cause)) return read;
  return refuse(
    at,
    'MW2106',
    'an ejection that nothing causes',
    'say what takes an endpoint out: `consecutive5xx`, `gatewayFailures`, `localFailures`, `successRate` or `failureShare`',
  );
};

const plainPath: Reader<string> = (value, at) => {
  const path = text(value, at);
  const wrong =
    path.length > 1024 ? 'it is longer than 1024 characters' : path.includes('{') ? 'a parameter has no value here' : wrongPath(path);
  return wrong === null ? path : refuse(at, 'MW2117', `${show(value)} is no path: ${wrong}`, 'write a path that starts with `/`');
};
const grpcService: Reader<string> = (value, at) => {
  const given = text(value, at);
  if (given === 'server' || (given.length <= 253 && matches(/^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$/, given))) return given;
  return refuse(
    at,
    'MW2117',
    `${show(value)} is no gRPC service`,
    'write package and service (`books.v1.Reviews`), or `server` for all of it',
  );
};
const healthTerms = {
  required: { every: duration, timeout: duration },
  optional: { healthyAfter: whole(1, 100, 'count of checks'), unhealthyAfter: whole(1, 100, 'count of checks') },
};
const healthWays = { path: plainPath, grpc: grpcService, tcp: word('connect') };
const healthFields = record(healthTerms.required, { ...healthTerms.optional, ...healthWays });
export const health: Reader<WireHealth | 'none'> = (value, at) => {
  if (value === 'none') return 'none';
  const read = healthFields(value, at);
  const ways: string[] = [];
  for (const way of keysOf(healthWays)) if (hasOwn(read, way)) ways.push(way);
  if (ways.length === 1) return read;
  return ways.length === 0
    ? refuse(at, 'MW2102', 'how it is checked is missing', 'say one of `path`, `grpc` and `tcp`')
    : refuse(at, 'MW2126', `a check in ${ways.length} ways`, 'keep one of `path`, `grpc` and `tcp`');
};

const hashKey = (key: WireHashKey): object => make({}, { kind: 'hashKey', key: freeze(key) });
const cookieName: Reader<string> = headerName;
export const header = verb('header', ['name'], 1, (given) => hashKey({ kind: 'header', name: headerName(given.take(0), given.at(0)) }));
export const queryParameter = verb('queryParameter', ['name'], 1, (given) => {
  const name = text(given.take(0), given.at(0));
  if (name === '' || name.length > 128 || !matches(/^[!-"$%'-<>-~]+$/, name))
    return refuse(
      given.at(0),
      'MW2124',
      `${show(name)} is not the name of a query parameter`,
      'write it as on the wire, without `&`, `=` and `#`',
    );
  return hashKey({ kind: 'query', name });
});
export const cookie = verb('cookie', ['name', 'made'], 1, (given) => {
  const name = cookieName(given.take(0), given.at(0));
  if (!given.has(1)) return hashKey({ kind: 'cookie', name });
  const made = given.take(1);
  return hashKey({ kind: 'cookie', name, made: made === 'session' ? 'session' : duration(made, given.at(1)) });
});
export const source = hashKey({ kind: 'source' });

const keyOf: Reader<WireHashKey> = (value, at) => {
  const made = madeOf(value);
  if (made?.kind === 'hashKey') return made.key;
  return refuse(
    at,
    typeof value === 'object' && value !== null && !made ? 'MW2119' : 'MW2101',
    `${show(value)} where what requests have in common is meant`,
    "write `header('x-user')`, `cookie('sid')`, `queryParameter('user')` or `source`",
  );
};
const ring = record({ ring: whole(1, 8_388_608, 'count of points') }, {});
const table = (value: Plain, at: Place): 'maglev' | 'ring' | { readonly ring: number } =>
  value === 'maglev' || value === 'ring' ? value : typeof value === 'string' ? word('maglev', 'ring')(value, at) : ring(value, at);
const hashed = record({ by: keyOf }, { with: table }, { slowStart: 'a new endpoint takes its keys at once: `slowStart` goes with `to`' });
const slow = record({ to: word('least-request', 'round-robin'), slowStart: duration }, {}, { by: 'write `{ by }` or `{ to, slowStart }`' });
export const balance: Reader<WireBalance> = (value, at) => {
  if (typeof value === 'string') return word('least-request', 'round-robin', 'random')(value, at);
  return hasOwn(recordOf(value, at), 'to') ? slow(value, at) : hashed(value, at);
};

const place: Reader<string> = (value, at) => {
  const given = text(value, at);
  if (given.length <= 190 && matches(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}(\/[A-Za-z0-9][A-Za-z0-9._-]{0,62}){0,2}$/, given)) return given;
  return refuse(at, 'MW2124', `${show(value)} is not a place`, 'write region, zone and sub-zone with slashes between: `eu-west/a`');
};
const prefer = record(
  { prefer: word('network', 'region', 'zone', 'sub-zone') },
  { failover: named(place, list(place, { unique: 'place' })) },
  { spread: 'write `{ prefer }` or `{ spread }`' },
);
const spread = record({ spread: named(place, named(place, percent)) }, {}, { prefer: 'write `{ prefer }` or `{ spread }`' });
export const locality: Reader<WireLocality> = (value, at) => {
  if (typeof value === 'string') return word('off')(value, at);
  return hasOwn(recordOf(value, at), 'spread') ? spread(value, at) : prefer(value, at);
};
