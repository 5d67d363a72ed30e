/**
 * An Envoy for simulations: what it takes, warms, serves and drains, as its xDS pages and trials of 1.40 have it. It is fed by the control plane's own link
 * and protocols, in any order that two streams allow, and notes every moment at which something that serves points at what is not there.
 * https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/cluster_manager#cluster-warming
 */
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { create } from '@bufbuild/protobuf';
import type { Json, JsonObject } from '../../core/lib/json';
import {
  DeltaDiscoveryRequestSchema,
  DiscoveryRequestSchema,
  ResourceSchema,
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  type DiscoveryRequest,
  type DiscoveryResponse,
} from '../../core/wire/gen/envoy/service/discovery/v3/discovery_pb';
import type { AgentReport } from '../../runtime-proxy/agent/protocol';
import { isList, isRecord } from '../../runtime-proxy/bind/addresses';
import { deltaDialect } from '../../runtime-proxy/control-plane/dialect';
import type { ProxyLink, SentResponse } from '../../runtime-proxy/control-plane/proxy-link';
import { typeUrls } from '../../runtime-proxy/control-plane/resources';
import { isWhole, resourceTypes, type ResourceType } from '../../runtime-proxy/control-plane/sequence';
import { stateOfTheWorld } from '../../runtime-proxy/control-plane/state-of-the-world';
import type { Random } from './random';

export type Protocol = 'delta' | 'state-of-the-world';
interface Resource {
  readonly version: string;
  readonly json: JsonObject;
}
type Live = Map<string, Resource>;
interface Response {
  readonly type: ResourceType;
  readonly nonce: string;
  readonly version: string;
  readonly given: ReadonlyMap<string, Resource>;
  readonly gone: readonly string[];
}
/** A listener on its way out, with what it goes to; serves for some steps more. */
interface Draining {
  readonly name: string;
  readonly removed: boolean;
  readonly goesTo: readonly string[];
  left: number;
}
export interface SimulationOptions {
  readonly protocol: Protocol;
  readonly random: Random;
  /** Whether it refuses a response: then half of it is live all the same. */
  readonly rejects: (type: ResourceType, names: readonly string[]) => boolean;
  /** Clusters that the mesh has endpoints for. */
  readonly filled: (cluster: string) => boolean;
}

export class SimulatedEnvoy {
  readonly clusters: Live = new Map();
  readonly warmingClusters: Live = new Map();
  readonly hosts = new Map<string, number>();
  readonly listeners: Live = new Map();
  readonly warmingListeners: Live = new Map();
  readonly routes: Live = new Map();
  readonly broken: string[] = [];
  readonly log: string[] = [];
  #draining: Draining[] = [];
  /** Versions of what was sent, as the simulation's substitute for decoding. */
  readonly #known = new Map<string, JsonObject>();
  #link: ProxyLink | null = null;
  #speak: { readonly say: (sent: SentResponse) => Response | null; readonly hear: (request: ToControlPlane) => void } | null = null;
  #toEnvoy: Response[] = [];
  #toControlPlane: ToControlPlane[] = [];
  #reports: AgentReport[] = [];
  #told = '';
  #asked = new Map<ResourceType, Set<string>>();
  #last = new Map<ResourceType, { readonly nonce: string; readonly version: string }>();
  #accepted = new Map<ResourceType, string>();

  constructor(readonly options: SimulationOptions) {}

  /** A stream begins: what was on its way on the one before is lost. `onNack` is told when a response was refused. */
  connect(makeLink: (write: (sent: SentResponse) => void) => ProxyLink, onNack: () => void): ProxyLink {
    this.#toEnvoy = [];
    this.#toControlPlane = [];
    this.#reports = [];
    this.#told = '';
    this.#last = new Map();
    const link = makeLink((sent) => {
      for (const one of sent.added) this.#known.set(`${sent.type}/${one.name}/${one.version}`, one.json);
      const said = this.#speak?.say(sent);
      if (said) this.#toEnvoy.push(said);
      else if (said === null) this.#toControlPlane.unshift({ kind: 'said', type: sent.type, nonce: sent.nonce });
    });
    this.#link = link;
    const speak = this.options.protocol === 'delta' ? this.#delta() : this.#world(link);
    this.#speak = {
      say: speak.say,
      hear: (request) => {
        if (request.kind === 'said') return void link.answer(request.type, request.nonce, null);
        const heard = speak.hear(request);
        if (heard === null) return;
        if (heard.answer !== null && link.answer(request.type, heard.answer.nonce, heard.answer.error)) onNack();
        link.subscribe(request.type, heard);
      },
    };
    const before = this.#asked;
    this.#asked = new Map();
    for (const type of resourceTypes) {
      const names = before.get(type);
      if (isWhole(type) || (names && names.size > 0)) this.#ask(type, isWhole(type) ? [] : [...(names ?? [])]);
    }
    return link;
  }

  /** One thing that can happen now, any of them. False when nothing is left to happen. */
  step(): boolean {
    const { random } = this.options;
    const report = this.#report();
    const text = JSON.stringify(report.activity);
    const can = [
      ...(this.#toEnvoy.length > 0 ? ['take'] : []),
      ...(this.#toControlPlane.length > 0 ? ['answer'] : []),
      ...(this.#reports.length > 0 ? ['tell'] : []),
      ...(text !== this.#told ? ['look'] : []),
      ...(this.#draining.length > 0 ? ['drain'] : []),
    ];
    switch (can.length === 0 ? 'nothing' : random.pick(can)) {
      case 'take':
        this.#take();
        break;
      case 'answer': {
        const request = this.#toControlPlane.shift();
        if (request) this.#speak?.hear(request);
        break;
      }
      case 'tell': {
        const told = this.#reports.shift();
        this.log.push('told ' + Object.keys(told?.activity.clusters ?? {}).join());
        if (told) this.#link?.observe(told);
        break;
      }
      case 'look':
        this.#told = text;
        this.#reports.push(report);
        break;
      case 'drain':
        this.#draining = this.#draining.filter((one) => (one.left -= 1) > 0);
        break;
      default:
        return false;
    }
    this.#link?.push();
    this.#check();
    return true;
  }

  #take(): void {
    const response = this.#toEnvoy.shift();
    if (!response) return;
    const { type, nonce, version } = response;
    const names = [...response.given.keys()];
    this.log.push(`${type} +${names.join()} -${response.gone.join()}`);
    const bad = names.length > 0 && this.options.rejects(type, names);
    const given = new Map(bad ? [...response.given].slice(0, Math.floor(names.length / 2)) : response.given);
    // in the state of the world what is missing is gone, also from a response that is refused
    const gone =
      this.options.protocol === 'delta' || !isWhole(type)
        ? response.gone
        : [...this.#of(type).keys(), ...this.#warming(type).keys()].filter((name) => !response.given.has(name));
    if (type === 'listeners') this.#checkAddresses(given, gone);
    this.#apply(type, given, gone);
    this.#last.set(type, { nonce, version });
    if (!bad) this.#accepted.set(type, version);
    this.#request(type, bad ? 'it was told to refuse' : null, [], []);
    if (type === 'clusters')
      this.#subscribe(
        'endpoints',
        new Set([...this.clusters, ...this.warmingClusters].flatMap(([name, { json }]) => (json['type'] === 'EDS' ? [name] : []))),
      );
    if (type === 'listeners')
      this.#subscribe(
        'routes',
        new Set([...this.listeners.values(), ...this.warmingListeners.values()].flatMap(({ json }) => texts(json, 'routeConfigName'))),
      );
  }

  /** Of two listeners at one address Envoy refuses the second, unless the first goes in the same response. */
  #checkAddresses(given: ReadonlyMap<string, Resource>, gone: readonly string[]): void {
    const after = new Map([...this.listeners, ...this.warmingListeners]);
    for (const name of gone) after.delete(name);
    for (const [name, resource] of given) after.set(name, resource);
    const at = new Map<string, string>();
    for (const [name, { json }] of after) {
      const address = JSON.stringify(json['address']);
      const other = at.get(address);
      if (other !== undefined && this.broken.length === 0) this.broken.push(`${name} is refused: ${other} is at its address`);
      at.set(address, name);
    }
  }

  #apply(type: ResourceType, given: ReadonlyMap<string, Resource>, gone: readonly string[]): void {
    for (const name of gone) this.#remove(type, name);
    for (const [name, resource] of given) {
      if (type === 'endpoints') {
        const warm = this.warmingClusters.get(name);
        this.hosts.set(
          name,
          (isList(resource.json['endpoints']) ? resource.json['endpoints'] : []).reduce<number>(
            (sum, one) => sum + (isRecord(one) && isList(one['lbEndpoints']) ? one['lbEndpoints'].length : 0),
            0,
          ),
        );
        if (warm) {
          this.clusters.set(name, warm);
          this.warmingClusters.delete(name);
        }
        continue;
      }
      if (type === 'routes') {
        this.routes.set(name, resource);
        continue;
      }
      const [active, warming] = [this.#of(type), this.#warming(type)];
      // what is sent as it serves, while another form of it warms, is warmed again, and not passed over [tried]
      if ((warming.get(name) ?? active.get(name))?.version === resource.version) continue;
      if (type === 'clusters' && resource.json['type'] !== 'EDS') active.set(name, resource);
      else warming.set(name, resource);
    }
    for (const [name, resource] of [...this.warmingListeners]) {
      if (!texts(resource.json, 'routeConfigName').every((routes) => this.routes.has(routes))) continue;
      this.#drain(name, false);
      this.listeners.set(name, resource);
      this.warmingListeners.delete(name);
    }
  }
  #remove(type: ResourceType, name: string): void {
    if (type === 'listeners' && this.listeners.has(name)) this.#drain(name, true);
    this.#of(type).delete(name);
    this.#warming(type).delete(name);
    if (type === 'clusters') this.hosts.delete(name);
  }
  #drain(name: string, removed: boolean): void {
    const old = this.listeners.get(name);
    if (old) this.#draining.push({ name, removed, goesTo: this.#goesTo(old.json), left: 1 + this.options.random.below(3) });
  }

  /** Whatever serves goes to clusters that are there, and have hosts if the mesh has any. */
  #check(): void {
    if (this.broken.length > 0) return; // the first is the one to look at
    const where = `after ${this.log.slice(-12).join('\n   ')}`;
    const serving = [
      ...[...this.listeners].map(([name, { json }]) => [name, this.#goesTo(json)] as const),
      ...this.#draining.map(({ name, goesTo }) => [name, goesTo] as const),
    ];
    for (const [listener, clusters] of serving) {
      for (const cluster of clusters) {
        if (cluster === 'agent') continue;
        const found = this.clusters.get(cluster);
        if (!found) this.broken.push(`${listener} goes to ${cluster}, which is not there, ${where}`);
        else if (found.json['type'] === 'EDS' && this.options.filled(cluster) && !(this.hosts.get(cluster) ?? 0))
          this.broken.push(`${listener} goes to ${cluster}, which has no hosts, ${where}`);
      }
    }
  }
  #goesTo(listener: JsonObject): readonly string[] {
    const routes = texts(listener, 'routeConfigName').flatMap((name) => this.routes.get(name)?.json ?? []);
    return [listener, ...routes].flatMap((json) => [...texts(json, 'cluster'), ...weighted(json)]);
  }

  #report(): AgentReport {
    const versions = (live: Live): { readonly [name: string]: string } =>
      Object.fromEntries([...live].map(([name, { version }]) => [name, version]));
    return {
      ...{ envoyVersion: '1.40.0', live: true, draining: false, starts: 1, notAfter: Number.MAX_SAFE_INTEGER, secrets: [] },
      activity: {
        listeners: versions(this.listeners),
        routes: versions(this.routes),
        clusters: versions(this.clusters),
        hosts: Object.fromEntries([...this.clusters.keys()].map((name) => [name, this.hosts.get(name) ?? 0])),
        warming: this.warmingClusters.size + this.warmingListeners.size,
        draining: this.#draining.length,
        drainingListeners: this.#draining.filter((one) => one.removed).map((one) => one.name),
      },
    };
  }

  #subscribe(type: ResourceType, now: ReadonlySet<string>): void {
    const before = this.#asked.get(type) ?? new Set<string>();
    const [fresh, old] = [[...now].filter((name) => !before.has(name)), [...before].filter((name) => !now.has(name))];
    for (const name of old) this.#of(type).delete(name);
    if (fresh.length + old.length === 0) return;
    this.#asked.set(type, new Set(now));
    this.#request(type, null, fresh, old);
  }
  #ask(type: ResourceType, names: readonly string[]): void {
    this.#asked.set(type, new Set(names));
    this.#request(type, null, names, []);
  }
  #request(type: ResourceType, error: string | null, subscribe: readonly string[], unsubscribe: readonly string[]): void {
    const names = [...(this.#asked.get(type) ?? [])];
    const last = this.#last.get(type);
    // in delta an answer and a subscription are two requests; a subscription carries no nonce
    const answers = subscribe.length + unsubscribe.length === 0;
    this.#toControlPlane.push({
      kind: 'request',
      type,
      error,
      subscribe,
      unsubscribe,
      names,
      answers,
      nonce: last?.nonce ?? '',
      version: this.#accepted.get(type) ?? '',
    });
  }
  #of(type: ResourceType): Live {
    return type === 'endpoints' ? new Map() : this[type];
  }
  #warming(type: ResourceType): Live {
    return type === 'clusters' ? this.warmingClusters : type === 'listeners' ? this.warmingListeners : new Map();
  }
  #resource(type: ResourceType, name: string, version: string): Resource {
    const json = this.#known.get(`${type}/${name}/${version}`);
    if (!json) throw new Error(`internal: ${type} ${name} of no known version`);
    return { version, json };
  }

  #delta() {
    const dialect = deltaDialect(false);
    const opened = new Set<ResourceType>();
    return {
      say: (sent: SentResponse): Response | null => {
        const response: DeltaDiscoveryResponse | null = dialect.say(sent);
        if (response === null) return null;
        const given = new Map(response.resources.map(({ name, version }) => [name, this.#resource(sent.type, name, version)]));
        return { type: sent.type, nonce: response.nonce, version: '', given, gone: response.removedResources };
      },
      hear: ({ type, error, subscribe, unsubscribe, nonce, answers }: Request) => {
        const first = !opened.has(type);
        opened.add(type);
        const had = type === 'endpoints' ? this.hosts : new Map([...this.#of(type), ...this.#warming(type)]);
        const request: DeltaDiscoveryRequest = create(DeltaDiscoveryRequestSchema, {
          typeUrl: typeUrls[type],
          resourceNamesSubscribe: [...subscribe],
          resourceNamesUnsubscribe: [...unsubscribe],
          ...(first ? { initialResourceVersions: Object.fromEntries([...had.keys()].map((name) => [name, 'claimed'])) } : {}),
          responseNonce: answers ? nonce : '',
          ...(error === null ? {} : { errorDetail: { code: 13, message: error } }),
        });
        return dialect.hear(type, request);
      },
    };
  }
  #world(link: ProxyLink) {
    const dialect = stateOfTheWorld((type) => {
      const found = link.found(type);
      for (const one of found) if (one.any !== null) this.#known.set(`${type}/${one.name}/${one.version}`, one.json);
      return found;
    }, true); // its agent has what it has taken
    return {
      say: (sent: SentResponse): Response | null => {
        const response: DiscoveryResponse | null = dialect.say(sent);
        if (response === null) return null;
        const wrapped = response.resources.flatMap((any) => anyUnpack(any, ResourceSchema) ?? []);
        const given = new Map(wrapped.map(({ name, version }) => [name, this.#resource(sent.type, name, version)]));
        return { type: sent.type, nonce: response.nonce, version: response.versionInfo, given, gone: [] };
      },
      hear: ({ type, error, names, nonce, version }: Request) => {
        const request: DiscoveryRequest = create(DiscoveryRequestSchema, {
          typeUrl: typeUrls[type],
          resourceNames: isWhole(type) ? [] : [...names],
          responseNonce: nonce,
          versionInfo: version,
          ...(error === null ? {} : { errorDetail: { code: 13, message: error } }),
        });
        return dialect.hear(type, request);
      },
    };
  }
}
interface Request {
  readonly kind: 'request';
  readonly type: ResourceType;
  readonly error: string | null;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  readonly names: readonly string[];
  readonly answers: boolean;
  readonly nonce: string;
  readonly version: string;
}
type ToControlPlane = Request | { readonly kind: 'said'; readonly type: ResourceType; readonly nonce: string };

/** Every text that stands under a key, however deep. */
function texts(json: Json, key: string): readonly string[] {
  if (isList(json)) return json.flatMap((inner) => texts(inner, key));
  if (!isRecord(json)) return [];
  return Object.entries(json).flatMap(([name, inner]) => (name === key && typeof inner === 'string' ? [inner] : texts(inner, key)));
}
function weighted(json: Json): readonly string[] {
  if (isList(json)) return json.flatMap(weighted);
  if (!isRecord(json)) return [];
  return Object.entries(json).flatMap(([name, inner]) =>
    name === 'weightedClusters' && isRecord(inner) && isList(inner['clusters'])
      ? inner['clusters'].flatMap((one) => (isRecord(one) && typeof one['name'] === 'string' ? [one['name']] : []))
      : weighted(inner),
  );
}
