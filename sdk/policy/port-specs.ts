/** Ports as a service declares them: protocol, number and, where there is one, the contract. */
import type { WirePort } from '../../core/declarations/declaration';
import { freeze } from './intrinsics';
import { type Layer, make } from './made';
import { orPerEnv } from './per-environment';
import type { Plain } from './plain';
import { type Place, refuse } from './policy-error';
import { type Reader, list, record, whole, word } from './read';
import { madeAs } from './subjects';
import { duration, grpcMethod, requestLine, versionName } from './units';
import { verb } from './verb';

const layers: { readonly [protocol: string]: Layer } = {
  http: 'http', http2: 'http', websocket: 'http', grpc: 'grpc', tls: 'tls',
  tcp: 'tcp', kafka: 'tcp', amqp: 'tcp', mongo: 'tcp', mysql: 'tcp', postgres: 'tcp', redis: 'tcp',
}; // prettier-ignore
/** What a rule may say depends on the layer alone. */
export const layerOf = (protocol: string): Layer => layers[protocol] ?? 'tcp';

const number = whole(1, 65_535, 'port');
const spec = (port: WirePort, outsideOnly = false): object =>
  make({ protocol: port.protocol, number: port.number }, { kind: 'portSpec', port: freeze(port), outsideOnly });

const httpSpec = record({}, { requests: list(requestLine, { unique: 'request' }), urls: word('rfc3986', 'servlet', 'case-insensitive') });
const httpPort = (what: string, protocol: string, outsideOnly = false): ((...given: unknown[]) => object) =>
  verb(what, ['port', 'spec'], 1, (given) => {
    const more = given.has(1) ? httpSpec(given.take(1), given.at(1)) : {};
    return spec({ protocol, number: number(given.take(0), given.at(0)), ...more }, outsideOnly);
  });
export const http = httpPort('http', 'http');
export const http2 = httpPort('http2', 'http2');
const websocketSpec = record(
  {},
  { requests: list(requestLine, { unique: 'request' }), urls: word('rfc3986', 'servlet', 'case-insensitive'), maxAge: orPerEnv(duration) },
);
export const websocket = verb('websocket', ['port', 'spec'], 1, (given) => {
  const more = given.has(1) ? websocketSpec(given.take(1), given.at(1)) : {};
  return spec({ protocol: 'websocket', number: number(given.take(0), given.at(0)), ...more });
});
export const https = httpPort('https', 'http', true);
const grpcPort = (what: string, outsideOnly = false): ((...given: unknown[]) => object) =>
  verb(what, ['port', 'spec'], 1, (given) => {
    const more = given.has(1) ? record({}, { methods: list(grpcMethod, { unique: 'method' }) })(given.take(1), given.at(1)) : {};
    return spec(
      { protocol: 'grpc', number: number(given.take(0), given.at(0)), ...(more.methods ? { requests: more.methods } : {}) },
      outsideOnly,
    );
  });
export const grpc = grpcPort('grpc');
export const grpcs = grpcPort('grpcs', true);
const plainPort = (protocol: string): ((...given: unknown[]) => object) =>
  verb(protocol, ['port'], 1, (given) => spec({ protocol, number: number(given.take(0), given.at(0)) }));
const connectionSpec = record({}, { proxyProtocol: word('v1', 'v2') });
const connectionPort = (protocol: string): ((...given: unknown[]) => object) =>
  verb(protocol, ['port', 'spec'], 1, (given) => {
    const more = given.has(1) ? connectionSpec(given.take(1), given.at(1)) : {};
    return spec({ protocol, number: number(given.take(0), given.at(0)), ...more });
  });
export const tls = connectionPort('tls');
export const tcp = connectionPort('tcp');
export const kafka = verb('kafka', ['port', 'spec'], 1, (given) => {
  const more = given.has(1) ? record({}, { brokers: list(versionName, { unique: 'broker' }) })(given.take(1), given.at(1)) : {};
  return spec({ protocol: 'kafka', number: number(given.take(0), given.at(0)), ...more });
});
export const amqp = plainPort('amqp');
export const mongo = plainPort('mongo');
export const mysql = connectionPort('mysql');
export const postgres = plainPort('postgres');
export const redis = plainPort('redis');

/** A port inside the mesh. */
export const portSpec: Reader<WirePort> = (value: Plain, at: Place) => {
  const made = anyPortSpec(value, at);
  if (made.outsideOnly)
    return refuse(
      at,
      'MW2118',
      `\`${made.port.protocol}s(...)\` on a service of the mesh`,
      `the mesh encrypts by itself: write \`${made.port.protocol}(...)\`; \`${made.port.protocol}s\` is for \`external\``,
    );
  return made.port;
};
export const anyPortSpec = madeAs(['portSpec'], 'a port', 'write `http(8080)`, `grpc(7070)`, `tcp(5432)` ...');
