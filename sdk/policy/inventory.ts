/** Namespaces, services and workloads: what there is, and whose it is. */
import type { Ref } from '../../core/declarations/declaration';
import { deploysMethod } from './deploy-time';
import { freeze, keysOf } from './intrinsics';
import { type Made, type MadePort, describeMade, hidden, madeOf, make } from './made';
import { onlyIn, tags, team } from './mesh-names';
import { orPerEnv } from './per-environment';
import type { Plain } from './plain';
import { type Place, PolicyError, framesHere, refuse } from './policy-error';
import { portSpec } from './port-specs';
import { handles, ownedPort, portOf } from './ports';
import { type Reader, list, named, oneOrMore, record, show, text, word } from './read';
import { refTo, register } from './registry';
import { callerSettings, settings, standardMethod } from './settings';
import { target } from './subjects';
import { suggest } from './did-you-mean';
import { unsupported } from './unsupported';
import { accountName, name, podLabel, versionName } from './units';
import { verb } from './verb';

const namespaceSpec = record({ team }, { tags, settings, adoption: orPerEnv(word('observe', 'shadow', 'enforce')) });
export const namespace = verb('namespace', ['name', 'spec'], 2, (given) => {
  const called = name(given.take(0), given.at(0));
  const entry = register({ kind: 'namespace', name: called, ...namespaceSpec(given.take(1), given.at(1)) }, given.call);
  return make(
    { name: called, standard: standardMethod(called), deploys: deploysMethod(entry, called) },
    { kind: 'namespace', entry, name: called, owned: true },
  );
});

/** The namespace that something is declared in: its owner's handle. */
export const ownNamespace = (value: Plain, at: Place): Ref => {
  const made = madeOf(value);
  if (made?.kind !== 'namespace')
    return refuse(at, made ? 'MW2120' : 'MW2119', `${show(value)} where a namespace is meant`, 'name what `namespace(...)` made');
  if (!made.owned)
    return refuse(at, 'MW2127', `a declaration in ${describeMade(made)}, which another team owns`, 'declare it in a namespace of your own');
  return freeze({ ref: refTo(made.entry) });
};

const workloadFields = {
  required: { serviceAccount: accountName },
  optional: { labels: list(podLabel, { unique: 'label' }), tags, settings, only: onlyIn },
};

/** The `calls` method of a service or a workload: a need, said by the caller. */
const callsMethod = (entry: number, owner: string): ((...given: unknown[]) => object) =>
  verb(`${owner}.calls`, ['target', 'mine'], 1, (given) => {
    const targets = oneOrMore(callable)(given.take(0), given.at(0));
    const mine = given.has(1) ? callerSettings(given.take(1), given.at(1)) : {};
    const missing = targets.find((port) => port.unsupported !== null)?.unsupported;
    const value = missing
      ? unsupported(missing)
      : { kind: 'need' as const, caller: { ref: refTo(entry) }, targets: targets.map((port) => port.ref), ...mine };
    return make({}, { kind: 'need', entry: register(value, given.call) });
  });
const callable: Reader<MadePort> = (value, at) => {
  const port = target(value, at);
  return port.atGateway
    ? refuse(at, 'MW2120', `${describeMade(port)} where a port of a service is meant`, 'name a port of a service')
    : port;
};

export const workload = verb('workload', ['namespace', 'name', 'spec'], 3, (given) => {
  const called = name(given.take(1), given.at(1));
  const spec = record(workloadFields.required, workloadFields.optional, { ports: 'what has ports is a `service(...)`' })(
    given.take(2),
    given.at(2),
  );
  const entry = register({ kind: 'workload', namespace: ownNamespace(given.take(0), given.at(0)), name: called, ...spec }, given.call);
  return make(
    { name: called, calls: callsMethod(entry, called), deploys: deploysMethod(entry, called) },
    { kind: 'workload', entry, name: called, owned: true },
  );
});

const serviceSpec = record(
  { ...workloadFields.required, ports: named(name, portSpec) },
  { ...workloadFields.optional, versions: list(versionName, { empty: 'allowed', unique: 'version' }), versionLabel: text },
);
export const service = verb('service', ['namespace', 'name', 'spec'], 3, (given) => {
  const called = name(given.take(1), given.at(1));
  const { versions = [], ...spec } = serviceSpec(given.take(2), given.at(2));
  const value = {
    kind: 'service' as const,
    namespace: ownNamespace(given.take(0), given.at(0)),
    name: called,
    ...spec,
    ...(versions.length > 0 ? { versions } : {}),
  };
  const entry = register(value, given.call);
  const ports: Record<string, object> = {};
  for (const port of keysOf(spec.ports)) {
    const declared = spec.ports[port];
    if (declared) ports[port] = ownedPort(portOf({ ref: refTo(entry), port }, `${called}.ports.${port}`, declared, versions));
  }
  const version = verb(`${called}.version`, ['name'], 1, (asked) => {
    const one = text(asked.take(0), asked.at(0));
    if (!versions.includes(one))
      return refuse(asked.at(0), 'MW2115', `\`${one.slice(0, 80)}\` is no version of \`${called}\``, suggest(one, versions, 'version'));
    return make({}, { kind: 'version', ref: freeze({ ref: refTo(entry), version: one }), name: one });
  });
  const made: Made = { kind: 'service', entry, name: called, owned: true, versions };
  const handle = {
    name: called,
    ports: handles(ports, 'MW2114', 'port', called),
    version,
    calls: callsMethod(entry, called),
    deploys: deploysMethod(entry, called),
  };
  return make(hidden(handle, actsOfPorts(called, keysOf(ports))), made);
});

/** What a port has and a service has not: said in words, where plain JavaScript would say that `allow` is not a function. */
function actsOfPorts(service: string, ports: readonly string[]): { readonly [name: string]: () => never } {
  const methods: Record<string, () => never> = {};
  for (const act of ['allow', 'deny', 'route', 'limit', 'patch', 'export']) {
    methods[act] = freeze((): never => {
      throw new PolicyError(
        'MW2120',
        `\`${act}\` on the service \`${service}\`, where one of its ports is meant`,
        `write \`${service}.ports.${ports[0] ?? 'web'}.${act}(...)\``,
        framesHere(),
      );
    });
  }
  return methods;
}
