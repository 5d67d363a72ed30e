/** `allow` and `deny` on a port: default deny, deny wins, an allow names identified callers. */
import type { DeclarationValue, WireTextFields, WireUser } from '../../core/declarations/declaration';
import { suggest } from './did-you-mean';
import { make } from './made';
import type { MadePort } from './made';
import { onlyIn } from './mesh-names';
import { refuse } from './policy-error';
import { type Reader, list, record, saying, show, word } from './read';
import { register } from './registry';
import { callers, callersOrAnyone, madeAs } from './subjects';
import { headerFields } from './text-matches';
import { unsupported } from './unsupported';
import { grpcMethod, headerName, host, rate, requestLine } from './units';
import { orPerEnv } from './per-environment';
import { verb } from './verb';

/** Said out loud where every request is meant. */
export const anyRequest = 'any request';

/** A request of the port's contract, if it has one. */
export const requestOf =
  (port: MadePort): Reader<string> =>
  (value, at) => {
    const line = (port.layer === 'grpc' ? grpcMethod : requestLine)(value, at);
    if (port.requests !== null && !port.requests.includes(line))
      return refuse(at, 'MW2116', `${show(value)} is not in the contract of \`${port.owner}\``, suggest(line, port.requests, 'request'));
    return line;
  };
const aUser = madeAs(['user'], 'a user of an issuer', 'claims hang on an issuer: write `google.user(claim(...))`');
export const user: Reader<WireUser> = (value, at) => aUser(value, at).user;

const requestsOf =
  (port: MadePort): Reader<readonly string[] | 'any'> =>
  (value, at) =>
    value === anyRequest ? 'any' : list(requestOf(port))(value, at);

const common = { mode: word('enforce', 'shadow'), only: onlyIn };
const httpOnly = (port: MadePort): { readonly [key: string]: string } => {
  const said = `\`${port.owner}\` is a ${port.protocol} port: its rules do not read requests`;
  if (port.layer === 'http') return { methods: 'write `requests`' };
  const inner =
    'who ends this TLS is the application, and no proxy of the mesh: give each server name that has other callers a port of its own';
  return { requests: said, headers: said, hosts: said, user: said, methods: said, ...(port.layer === 'tls' ? { sni: inner } : {}) };
};

type Access = Extract<DeclarationValue, { readonly kind: 'access' }>;

function allowReader(port: MadePort): Reader<Access> {
  if (port.layer === 'http') {
    const optional = { user, headers: headerFields, hosts: list(host, { unique: 'host' }), ...common };
    const rule = record({ from: callers, requests: requestsOf(port) }, optional, httpOnly(port));
    return (given, at) => {
      const read = rule(given, at);
      return allowed(port, read.from, read.requests, read);
    };
  }
  if (port.layer === 'grpc') {
    const rule = record({ from: callers, methods: requestsOf(port) }, { user, ...common }, { requests: 'write `methods`' });
    return (given, at) => {
      const read = rule(given, at);
      return allowed(port, read.from, read.methods, read);
    };
  }
  if (port.layer === 'tls' && port.outside) {
    const rule = record({ from: callers }, { sni: list(host, { unique: 'server name' }), ...common }, httpOnly(port));
    return (given, at) => {
      const { sni, ...read } = rule(given, at);
      return allowed(port, read.from, 'any', { ...read, ...(sni ? { hosts: sni } : {}) });
    };
  }
  const rule = record({ from: callers }, common, {
    ...httpOnly(port),
    networks: 'a caller is known by its identity, whatever address it has: name it in `from`',
  });
  return (given, at) => {
    const read = rule(given, at);
    return allowed(port, read.from, 'any', read);
  };
}
function allowed(
  port: MadePort,
  from: Access['from'],
  requests: Access['requests'],
  more: {
    readonly headers?: WireTextFields;
    readonly hosts?: readonly string[];
    readonly user?: WireUser;
    readonly mode?: 'enforce' | 'shadow';
    readonly only?: readonly string[];
  },
): Access {
  return {
    kind: 'access',
    action: 'allow',
    port: port.ref,
    from,
    requests,
    ...(more.headers ? { headers: more.headers } : {}),
    ...(more.hosts ? { hosts: more.hosts } : {}),
    ...(more.user ? { user: more.user } : {}),
    ...(more.mode ? { mode: more.mode } : {}),
    ...(more.only ? { only: more.only } : {}),
  };
}
const notInForce = (port: MadePort): string | null => port.unsupported ?? (port.atGateway ? 'access rules at a gateway host' : null);

export const allowMethod = (port: MadePort): ((...given: unknown[]) => object) => {
  let reader: Reader<Access> | undefined;
  const missing = notInForce(port);
  return verb(`${port.owner}.allow`, ['spec'], 1, (given) => {
    reader ??= allowReader(port);
    const value = reader(given.take(0), given.at(0));
    return make({}, { kind: 'access', entry: register(missing === null ? value : unsupported(missing), given.call) });
  });
};

const denial = record(
  { from: callersOrAnyone, because: saying },
  { only: onlyIn },
  { requests: 'a denial is about whole identities: there is none by path for an odd URL to slip past' },
);
export const denyMethod = (port: MadePort): ((...given: unknown[]) => object) =>
  verb(`${port.owner}.deny`, ['spec'], 1, (given) => {
    const { from, because, only } = denial(given.take(0), given.at(0));
    const missing = notInForce(port);
    const value: DeclarationValue =
      missing === null
        ? { kind: 'access', action: 'deny', port: port.ref, from, requests: 'any', because, ...(only ? { only } : {}) }
        : unsupported(missing);
    return make({}, { kind: 'access', entry: register(value, given.call) });
  });

export const limitMethod = (port: MadePort): ((...given: unknown[]) => object) =>
  verb(`${port.owner}.limit`, ['spec'], 1, (given) => {
    const per: Reader<unknown> = (value, at) =>
      typeof value === 'string' ? word('caller', 'user', 'address')(value, at) : record({ header: headerName }, {})(value, at);
    record(
      { rate: orPerEnv(rate), per, whenDown: word('allow', 'deny') },
      port.layer === 'http' ? { requests: list(requestOf(port)) } : {},
    )(given.take(0), given.at(0));
    return make({}, { kind: 'limit', entry: register(unsupported('rate limits (`limit`)'), given.call) });
  });
