/** What a route of HTTP may say beside where it goes. */
import type { Ref, WireCors, WireFault, WireHeaderEdit, WireMirror, WireSticky, WireTextMatch } from '../../core/declarations/declaration';
import { freeze, hasOwn, matches } from './intrinsics';
import { grpcStatuses } from './grpc-statuses';
import { orPerEnv } from './per-environment';
import { type Place, refuse } from './policy-error';
import { type Reader, atLeastOne, list, named, oneOrMore, record, recordOf, show, text, whole, word } from './read';
import { match } from './text-matches';
import { duration, headerName, host, percent, wrongPath } from './units';
import type { Plain } from './plain';

/** Whole, or with parameters that lower looks for in the requests of the rule. */
export const pathText: Reader<string> = (value, at) => {
  const path = text(value, at);
  const wrong = wrongPath(path);
  if (wrong !== null) return refuse(at, 'MW2117', `${show(value)} is no path: ${wrong}`, 'write a path that starts with `/`');
  return path;
};

const headerText: Reader<string> = (value, at) => {
  const given = text(value, at);
  if (!matches(/^[!-~](?:[ -~]{0,1022}[!-~])?$/, given))
    return refuse(
      at,
      'MW2101',
      `${show(value)} is no value of a header`,
      'write 1 to 1024 characters of ASCII, without spaces at the ends',
    );
  return given;
};
export const headerEdit: Reader<WireHeaderEdit> = atLeastOne(
  record({}, { set: named(headerName, headerText), add: named(headerName, headerText), remove: list(headerName, { unique: 'header' }) }),
  'an edit of headers',
);

const share = orPerEnv(percent);
const abortStatus: Reader<number> = (value, at) => {
  const status = whole(200, 599, 'status of an answer')(value, at);
  if (status === 204 || status === 205 || status === 304)
    return refuse(
      at,
      'MW2125',
      `an abort with the status ${status}, which has no body (RFC 9110)`,
      'write the status of a failure, such as 503',
    );
  return status;
};
export const grpcStatus = word(...grpcStatuses);
const faultOf = (status: Reader<number | string>): Reader<WireFault> =>
  atLeastOne(
    record(
      {},
      { delay: record({ for: duration, share }, {}), abort: record({ status, share }, {}) },
      { share: "write it beside each: `delay: { for: '2s', share: '10%' }`" },
    ),
    'a fault',
  );
export const fault = faultOf(abortStatus);
export const grpcFault = faultOf(grpcStatus);
export const rewrite = atLeastOne(record({}, { path: pathText, host }), 'a rewrite');

export const sticky: Reader<WireSticky> = (value, at) => {
  const given = recordOf(value, at);
  if (hasOwn(given, 'header')) return freeze({ kind: 'header', name: record({ header: headerName }, {})(value, at).header });
  if (hasOwn(given, 'cookie')) return freeze({ kind: 'cookie', name: record({ cookie: headerName }, {})(value, at).cookie });
  const { issue, for: kept } = record(
    { issue: headerName },
    { for: duration },
    { header: 'write one of `header`, `cookie` and `issue`' },
  )(value, at);
  return freeze({ kind: 'issued', name: issue, ...(kept !== undefined ? { for: kept } : {}) });
};

/** Clients of gRPC keep no cookies. */
export const grpcSticky: Reader<WireSticky> = (value, at) =>
  freeze({
    kind: 'header',
    name: record(
      { header: headerName },
      {},
      { cookie: 'clients of gRPC keep no cookies: write `header`', issue: 'clients of gRPC keep no cookies: write `header`' },
    )(value, at).header,
  });

/** `to` reads where a copy may go: a version of the port, or another port. */
export const mirrors = (to: (value: Plain, at: Place) => Ref | { readonly version: string }): Reader<readonly WireMirror[]> =>
  oneOrMore(record({ to, share }, {}));

const origin: Reader<WireTextMatch> = (value, at) => {
  if (typeof value === 'string' && !matches(/^(?:https?):\/\/[a-z0-9.-]{1,253}(?::[0-9]{1,5})?$/, value))
    return refuse(at, 'MW2109', `${show(value)} is not an origin`, 'write a scheme and a host: `https://shop.example`');
  return match(value, at);
};
const method = word('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE');
const flag: Reader<boolean> = (value, at) => {
  if (typeof value !== 'boolean') return refuse(at, 'MW2101', `${show(value)} where yes or no is meant`, 'write `true` or `false`');
  return value;
};
const originsRead: Reader<WireCors['origins']> = (value, at) => (value === 'any' ? 'any' : list(origin)(value, at));
export const cors: Reader<WireCors> = record(
  { origins: originsRead, methods: list(method, { unique: 'method' }) },
  {
    headers: list(headerName, { unique: 'header' }),
    exposed: list(headerName, { unique: 'header' }),
    credentials: flag,
    maxAge: duration,
  },
);
