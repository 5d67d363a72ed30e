/** Routes: an ordered list for one port, the first match wins, and `otherwise` takes the rest. */
import type {
  DeclarationValue,
  Ref,
  WireConditions,
  WireDestination,
  WireRouteElse,
  WireRouteRule,
} from '../../core/declarations/declaration';
import { requestOf, user } from './access';
import { suggest } from './did-you-mean';
import { cors, fault, grpcFault, grpcSticky, grpcStatus, headerEdit, mirrors, pathText, rewrite, sticky } from './http-words';
import { freeze, isArray, matches } from './intrinsics';
import { type MadePort, describeMade, madeOf, make } from './made';
import { onlyIn, team } from './mesh-names';
import { orPerEnv } from './per-environment';
import type { Plain } from './plain';
import { type Place, pathOf, refuse, under } from './policy-error';
import { type Reader, atLeastOne, list, named, oneOrMore, record, recordOf, show, text, whole, word } from './read';
import { refTo, register } from './registry';
import { retries, timeout } from './settings';
import { callers, madeAs, target } from './subjects';
import { headerFields, routeHeaders, textFields } from './text-matches';
import { unsupported } from './unsupported';
import { host, hostOrUnder } from './units';
import { verb } from './verb';

const action = (to: WireDestination, stack: string): object => make({}, { kind: 'action', to: freeze(to), stack });
const status = whole(200, 599, 'status of an answer');

export const respond = verb('respond', ['status', 'body'], 1, (given) => {
  const body = given.has(1) ? text(given.take(1), given.at(1)) : undefined;
  if (body !== undefined && body.length > 4096)
    return refuse(given.at(1), 'MW2125', 'a body of more than 4096 characters', 'answer in fewer words');
  const answer = status(given.take(0), given.at(0));
  if (body !== undefined && (answer === 204 || answer === 205 || answer === 304))
    return refuse(
      given.at(1),
      'MW2125',
      `a body with the status ${answer}, which has none (RFC 9110)`,
      'leave the body out, or answer 200',
    );
  return action({ kind: 'respond', status: answer, ...(body !== undefined ? { body } : {}) }, given.call.stack);
});

const redirectStatus: Reader<number> = (value, at) => {
  for (const known of [301, 302, 303, 307, 308]) if (value === known) return known;
  return refuse(at, 'MW2125', `${show(value)} is no status of a redirect`, 'write 301, 302, 303, 307 or 308');
};
export const redirect = verb('redirect', ['spec'], 1, (given) => {
  const fields = { scheme: word('http', 'https'), host, port: whole(1, 65_535, 'port'), path: pathText, status: redirectStatus };
  return action({ kind: 'redirect', ...atLeastOne(record({}, fields), 'a redirect')(given.take(0), given.at(0)) }, given.call.stack);
});

export const respondGrpc = verb('respondGrpc', ['status', 'message'], 1, (given) => {
  const message = given.has(1) ? text(given.take(1), given.at(1)) : undefined;
  // a space at an end is none of a field's value, and clients of HTTP/2 drop the whole field for it (RFC 9113 section 8.2.1)
  if (message !== undefined && !matches(/^[!-~](?:[ -~]{0,254}[!-~])?$/, message))
    return refuse(
      given.at(1),
      'MW2125',
      'a message that is not 1 to 256 characters of ASCII, without a space at its ends',
      'say it in fewer and plainer words',
    );
  return action(
    { kind: 'respondGrpc', status: grpcStatus(given.take(0), given.at(0)), ...(message !== undefined ? { message } : {}) },
    given.call.stack,
  );
});

/** A share of requests: a whole number of percent. */
const share = orPerEnv(whole(0, 100, 'share in percent'));
export const split = verb(
  'split',
  ['shares'],
  1,
  (given) => {
    let layer: MadePort['layer'] | undefined;
    const shares = given.all.map((one, i) => {
      const at = given.at(i);
      if (!isArray(one) || one.length < 2 || one.length > 3)
        return refuse(at, 'MW2101', `${show(one)} where a target and its share are meant`, 'write `[reviews.ports.web, 90]`');
      const to = versionedTarget(one[0] ?? null, under(at, 0));
      layer ??= to.port.layer;
      const edits = one[2] === undefined ? {} : destinationEdits(one[2], under(at, 2));
      return freeze({ to: routable(to, under(at, 0), layer), percent: share(one[1] ?? null, under(at, 1)), ...edits });
    });
    return action({ kind: 'split', shares: freeze(shares) }, given.call.stack);
  },
  'rest',
);

const destinationEdits = atLeastOne(
  record({}, { rewrite, requestHeaders: headerEdit, responseHeaders: headerEdit }),
  'an edit of a destination',
);

/** A port, or its endpoints of one version. */
interface VersionedTarget {
  readonly port: MadePort;
  readonly version: string | null;
}
const versionedTarget: Reader<VersionedTarget> = (value, at) => {
  const made = madeOf(value);
  return made?.kind === 'portVersion' ? { port: made.port, version: made.name } : { port: target(value, at), version: null };
};

function routable({ port, version }: VersionedTarget, at: Place, layer: MadePort['layer']): MadePort['ref'] {
  if (port.atGateway)
    return refuse(
      at,
      'MW2120',
      `${describeMade(port)} where a port of a service is meant`,
      'a host at a gateway is where requests come in, not where they go',
    );
  if (!(layer === 'tcp' && port.layer === 'tls') && port.layer !== layer)
    return refuse(
      at,
      'MW2118',
      `${describeMade(port)} where a port for ${layer} is meant`,
      'send requests to a port that speaks their protocol',
    );
  return version === null ? port.ref : freeze({ ...port.ref, version });
}

export const versionMethod = (port: MadePort): ((...given: unknown[]) => object) =>
  verb(`${port.owner}.version`, ['name'], 1, (given) =>
    make({}, { kind: 'portVersion', port, name: versionOf(port)(given.take(0), given.at(0)) }),
  );

const destinationOf =
  (port: MadePort): Reader<WireDestination> =>
  (value, at) => {
    const made = madeOf(value);
    if (made?.kind === 'action') {
      if (made.to.kind === 'respondGrpc' && port.layer !== 'grpc') return grpcAnswerElsewhere(port, at);
      at.call.parts.push(freeze({ path: pathOf(at), stack: made.stack }));
      return made.to;
    }
    if (made?.kind === 'canary') {
      for (const version of made.versions) versionOf(port)(version, at);
      return unsupported('canaries (`canary`)');
    }
    if (made?.kind === 'port' || made?.kind === 'portVersion') {
      const to = versionedTarget(value, at);
      // a host at a gateway takes calls of gRPC beside other requests
      const layer = port.atGateway && port.layer === 'http' && to.port.layer === 'grpc' ? 'grpc' : port.layer;
      return to.port.unsupported !== null ? unsupported(to.port.unsupported) : freeze({ kind: 'target', to: routable(to, at, layer) });
    }
    if (made)
      return refuse(
        at,
        'MW2120',
        `${describeMade(made)} where a destination is meant`,
        'write a version, weights over versions, a port, or an answer such as `respond(404)`',
      );
    if (typeof value === 'string') return freeze({ kind: 'version', version: versionOf(port)(value, at) });
    const weights = named(versionOf(port), share)(recordOf(value, at), at);
    return freeze({ kind: 'weights', weights });
  };
const grpcAnswerElsewhere = (port: MadePort, at: Place): never =>
  refuse(
    at,
    'MW2118',
    `an answer in the words of gRPC where one for ${port.layer} is meant`,
    port.layer === 'http'
      ? 'write `respond(503, ...)`: a call of gRPC hears it as `unavailable`, 401 as `unauthenticated`, 403 as `permission-denied`, 404 as `unimplemented`'
      : 'write a port, or a version: who makes a connection is not answered',
  );

const versionOf =
  (port: MadePort): Reader<string> =>
  (value, at) => {
    const given = text(value, at);
    if (port.versions.length === 0)
      return refuse(
        at,
        'MW2115',
        `${show(value)} is no version: \`${port.owner}\` has none`,
        'write a port, or declare `versions` on the service',
      );
    if (!port.versions.includes(given))
      return refuse(at, 'MW2115', `${show(value)} is no version of \`${port.owner}\``, suggest(given, port.versions, 'version'));
    return given;
  };

const mirrorTo =
  (port: MadePort) =>
  (value: Plain, at: Place): Ref | { readonly version: string } =>
    typeof value === 'string' ? freeze({ version: versionOf(port)(value, at) }) : routable(versionedTarget(value, at), at, port.layer);
const elseFields = (port: MadePort) => ({
  required: { to: destinationOf(port) },
  optional: {
    timeout,
    idle: timeout,
    retry: retries,
    sticky,
    mirror: mirrors(mirrorTo(port)),
    fault,
    rewrite,
    requestHeaders: headerEdit,
    responseHeaders: headerEdit,
  },
});
const tcpFields = (port: MadePort) => ({ required: { to: destinationOf(port) }, optional: { idle: timeout } });
const wrongLayer = (port: MadePort): { readonly [key: string]: string } => {
  const said = `\`${port.owner}\` is a ${port.protocol} port: its connections are routed whole, so there is no request to speak of`;
  return port.layer === 'tcp' || port.layer === 'tls'
    ? { timeout: said, retry: said, headers: said, request: said, query: said, cookies: said }
    : {};
};

const httpConditions = (port: MadePort) =>
  atLeastOne(
    record(
      {},
      {
        request: oneOrMore(requestOf(port)),
        headers: routeHeaders,
        query: textFields,
        cookies: textFields,
        from: callers,
        user,
      },
    ),
    'a condition',
  );

function httpRoutes(port: MadePort): Reader<RouteValue> {
  const { required, optional } = elseFields(port);
  const ruleFields = record({ ...required, when: httpConditions(port) }, { ...optional, only: onlyIn });
  const rule: Reader<WireRouteRule> = (value, place) => {
    const { when, ...rest } = ruleFields(value, place);
    const { headers, ...held } = when;
    return {
      ...rest,
      when: { ...held, ...headers } satisfies WireConditions,
    };
  };
  const routes = record({ otherwise: record(required, optional, elseWord) }, { cors, rules: list(rule, { empty: 'allowed' }) });
  return (given, at) => {
    const read = routes(given, at);
    return { kind: 'route', on: port.ref, ...(read.cors ? { cors: read.cors } : {}), rules: read.rules ?? [], otherwise: read.otherwise };
  };
}
type RouteValue = Extract<DeclarationValue, { readonly kind: 'route' }>;

/** A route list whose every field is in force: what is read is what is registered. */
function listOf(port: MadePort, rule: Reader<WireRouteRule>, otherwise: Reader<WireRouteElse>): Reader<DeclarationValue> {
  const routes = record({ otherwise }, { rules: list(rule, { empty: 'allowed' }) });
  return (given, at) => {
    const read = routes(given, at);
    return { kind: 'route', on: port.ref, rules: read.rules ?? [], otherwise: read.otherwise };
  };
}
const elseWord = { when: '`otherwise` takes what no rule matched: a condition belongs into `rules`' };

function grpcRoutes(port: MadePort): Reader<DeclarationValue> {
  const to = { to: destinationOf(port) };
  const when = atLeastOne(
    record({}, { method: oneOrMore(requestOf(port)), headers: headerFields, from: callers, user }, { request: 'write `method`' }),
    'a condition',
  );
  const optional = {
    timeout,
    idle: timeout,
    retry: retries,
    sticky: grpcSticky,
    mirror: mirrors(mirrorTo(port)),
    fault: grpcFault,
    requestHeaders: headerEdit,
    responseHeaders: headerEdit,
  };
  const noRewrite = { rewrite: 'a call of another path would be a call of another method: remove it' };
  const read = record({ ...to, when }, { ...optional, only: onlyIn }, noRewrite);
  const rule: Reader<WireRouteRule> = (value, place) => {
    const { when: conditions, only, ...rest } = read(value, place);
    const { method, ...others } = conditions;
    return { ...rest, when: { ...(method ? { request: method } : {}), ...others }, ...(only ? { only } : {}) };
  };
  return listOf(port, rule, record(to, optional, { ...elseWord, ...noRewrite }));
}

function connectionRoutes(port: MadePort): Reader<DeclarationValue> {
  const { required, optional } = tcpFields(port);
  const when =
    port.layer === 'tls' && !port.atGateway
      ? atLeastOne(record({}, { sni: oneOrMore(hostOrUnder), from: callers }, wrongLayer(port)), 'a condition')
      : record({ from: callers }, {}, wrongLayer(port));
  const rule = record({ ...required, when }, { ...optional, only: onlyIn }, wrongLayer(port));
  return listOf(port, rule, record(required, optional, { ...wrongLayer(port), ...elseWord }));
}

export const routeMethod = (port: MadePort): ((...given: unknown[]) => object) => {
  let reader: Reader<DeclarationValue> | undefined;
  return verb(`${port.owner}.route`, ['spec'], 1, (given) => {
    reader ??= port.layer === 'http' ? httpRoutes(port) : port.layer === 'grpc' ? grpcRoutes(port) : connectionRoutes(port);
    const value = reader(given.take(0), given.at(0));
    return make({}, { kind: 'route', entry: register(port.unsupported === null ? value : unsupported(port.unsupported), given.call) });
  });
};

/** Gives the paths under a prefix to another team. */
export const delegateMethod = (port: MadePort): ((...given: unknown[]) => object) =>
  verb(`${port.owner}.delegate`, ['path', 'to'], 2, (given) => {
    const path = pathText(given.take(0), given.at(0));
    if (path === '/' || path.endsWith('/') || path.includes('{'))
      return refuse(
        given.at(0),
        'MW2117',
        `${show(given.take(0))} is no prefix to delegate`,
        'write plain segments without a slash at the end: `/catalog`',
      );
    const value: DeclarationValue = { kind: 'delegation', on: port.ref, path, to: team(given.take(1), given.at(1)) };
    const entry = register(port.unsupported === null ? value : unsupported(port.unsupported), given.call);
    return make({}, { kind: 'delegation', entry });
  });

const underDelegation: MadePort = {
  kind: 'port',
  ref: freeze({ ref: '' }),
  owner: 'a delegated path',
  protocol: 'http',
  layer: 'http',
  requests: null,
  versions: freeze([]),
  atGateway: false,
  outside: false,
  unsupported: null,
};
/** Routes of the paths that another team gave to this one. */
export const routeUnder = verb('routeUnder', ['delegation', 'routes'], 2, (given) => {
  const { entry } = madeAs(['delegation'], 'a delegation', 'name what `delegate(...)` made')(given.take(0), given.at(0));
  const value = httpRoutes(underDelegation)(given.take(1), given.at(1));
  return make({}, { kind: 'route', entry: register({ ...value, on: { ref: refTo(entry) } }, given.call) });
});
