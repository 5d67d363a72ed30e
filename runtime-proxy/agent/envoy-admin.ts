/** Envoy's admin interface, read through its unix socket: what is active now, and the two things we ask of it at the end. */
import * as http from 'node:http';
import type { Address } from '../inventory';
import { fieldsOf, type Fields } from '../rpc/decode';
import { resets } from './limits';

/** What Envoy serves with, by name -> version (the hash the control plane gave); only what is active counts. */
export interface Activity {
  readonly listeners: { readonly [name: string]: string };
  readonly routes: { readonly [name: string]: string };
  readonly clusters: { readonly [name: string]: string };
  /** Hosts by cluster, of clusters that come from the control plane. */
  readonly hosts: { readonly [cluster: string]: number };
  /** Listeners and clusters that are not there yet. */
  readonly warming: number;
  /** Listeners and filter chains that are on their way out and may still serve. */
  readonly draining: number;
  /** Which listeners those are: their address is not free yet. */
  readonly drainingListeners: readonly string[];
}
/** Name -> version of what Envoy took. */
export interface Acknowledged {
  readonly listeners: ReadonlyMap<string, string>;
  readonly routes: ReadonlyMap<string, string>;
  readonly clusters: ReadonlyMap<string, string>;
}
export const noneAcknowledged: Acknowledged = { listeners: new Map(), routes: new Map(), clusters: new Map() };
export interface EnvoyAdmin {
  /**
   * `acknowledged`: versions of resources that Envoy took before this was asked. A listener that Envoy changed in place (only its filter chains differ) is
   * shown under the version it had before [Envoy 1.40, tried]; once nothing of that name warms, what was acknowledged is what serves.
   * In the state of the world Envoy shows versions of responses, and this is the only word on versions of resources.
   */
  activity(acknowledged?: Acknowledged): Promise<Activity>;
  /** `LIVE`, `PRE_INITIALIZING`, `INITIALIZING`, `DRAINING`. */
  state(): Promise<{ readonly state: string; readonly version: string }>;
  /** Where it can be seen whether its workers answer: listeners at which a handshake, or something that is none, reaches no application. A few of them. */
  doors(): Promise<readonly Address[]>;
  /** What is open: requests, WebSockets among them, and connections that are not HTTP, whose end nobody but their two ends knows. */
  work(): Promise<{ readonly requests: number; readonly connections: number }>;
  /** Whether clients from outside connect to it: what their streams may do is judged otherwise (limits.ts). */
  facesOutside(faces: boolean): Promise<void>;
  /** Stops taking connections and tells open ones to go, over the drain time. */
  drain(): Promise<void>;
  quit(): Promise<void>;
  get(path: string): Promise<string>;
}

class AdminRefusal extends Error {
  constructor(readonly status: number) {
    super(`Envoy's admin answered ${status}`);
  }
}
const timeoutMs = 2_000;
const maxBytes = 64 * 1024 * 1024;
const mostDoors = 8;
/** Statistics of the admin interface itself, and those that say for one thread what another says for all. */
const ofNobody = /^(http|listener)\.admin\.|\.worker_\d+\.[^.]+$/;

export function envoyAdmin(socket: string): EnvoyAdmin {
  const request = (method: 'GET' | 'POST', path: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const call = http.request(
        { socketPath: socket, path, method, timeout: timeoutMs, agent: false, headers: { host: 'admin' } },
        (response) => {
          const chunks: Buffer[] = [];
          let size = 0;
          response.on('data', (chunk: Buffer) => {
            size += chunk.length;
            if (size > maxBytes) call.destroy(new Error('the answer is too large'));
            chunks.push(chunk);
          });
          response.on('error', reject);
          response.on('end', () =>
            response.statusCode === 200
              ? resolve(Buffer.concat(chunks).toString('utf8'))
              : reject(new AdminRefusal(response.statusCode ?? 0)),
          );
        },
      );
      call.on('timeout', () => call.destroy(new Error("Envoy's admin does not answer")));
      call.on('error', reject);
      call.end();
    });
  const json = async (path: string): Promise<Fields> => fieldsOf(JSON.parse(await request('GET', path)), path);
  /** Envoy says 404 where it has none of a resource. */
  const dump = async (resource: string, mask: string): Promise<readonly Fields[]> => {
    try {
      return entries((await json(`/config_dump?resource=${resource}&mask=${mask}`))['configs']);
    } catch (error) {
      if (error instanceof AdminRefusal && error.status === 404) return [];
      throw error;
    }
  };
  return {
    async activity(acknowledged = noneAcknowledged) {
      const [listeners, routes, active, warming, clusters, stats] = await Promise.all([
        dump('dynamic_listeners', 'name,active_state.version_info,warming_state.version_info,draining_state.version_info'),
        dump('dynamic_route_configs', 'version_info,route_config.name'),
        dump('dynamic_active_clusters', 'version_info,cluster.name'),
        dump('dynamic_warming_clusters', 'version_info,cluster.name'),
        json('/clusters?format=json'),
        json('/stats?format=json&filter=^listener_manager.total_(filter_chains|listeners)_draining$'),
      ]);
      const warms = new Set(listeners.filter((one) => maybe(one['warming_state']) !== null).map(nameOf));
      const hosts: Record<string, number> = {};
      for (const cluster of entries(clusters['cluster_statuses']))
        if (cluster['added_via_api'] === true) hosts[text(cluster['name'])] = entries(cluster['host_statuses']).length;
      return {
        listeners: serving(
          versions(listeners, nameOf, (one) => maybe(one['active_state'])),
          acknowledged.listeners,
          warms,
        ),
        routes: serving(
          versions(routes, (one) => nestedName(one['route_config']), itself),
          acknowledged.routes,
          new Set(),
        ),
        clusters: serving(versions(active, clusterOf, itself), acknowledged.clusters, new Set(warming.map(clusterOf))),
        hosts,
        warming: warming.length + warms.size,
        drainingListeners: listeners.filter((one) => maybe(one['draining_state']) !== null).map((one) => text(one['name'])),
        draining:
          listeners.filter((one) => maybe(one['draining_state']) !== null).length +
          entries(stats['stats']).reduce((sum, stat) => sum + (typeof stat['value'] === 'number' ? stat['value'] : 0), 0),
      };
    },
    async state() {
      const info = await json('/server_info');
      return { state: text(info['state']), version: /\/(\d+\.\d+\.\d+)/.exec(text(info['version']))?.[1] ?? '' };
    },
    async doors() {
      const found = (await dump('dynamic_listeners', 'active_state.listener')).flatMap((one): readonly Fields[] => {
        const listener = maybe(maybe(one['active_state'])?.['listener']);
        return listener === null ? [] : [listener];
      });
      const inward = found.filter(isDoor);
      return (inward.length > 0 ? inward : found.filter((one) => nameOf(one) === 'outbound'))
        .flatMap((one) => {
          const at = maybe(maybe(one['address'])?.['socket_address']);
          const [host, port] = [text(at?.['address']), at?.['port_value']];
          return host !== '' && typeof port === 'number' && one['bind_to_port'] !== false ? [{ host, port }] : [];
        })
        .slice(0, mostDoors);
    },
    async work() {
      const stats = entries((await json('/stats?format=json&usedonly&filter=downstream_(cx|rq)_active$'))['stats']);
      const sum = (of: RegExp): number =>
        stats
          .filter((stat) => of.test(nameOf(stat)) && !ofNobody.test(nameOf(stat)))
          .reduce((total, { value }) => total + (typeof value === 'number' ? value : 0), 0);
      // a listener counts connections of every kind, and what speaks HTTP on them counts its own, of which idle ones are no work
      const connections = sum(/^listener\..*\.downstream_cx_active$/) - sum(/^http\..*\.downstream_cx_active$/);
      return { requests: sum(/^http\..*\.downstream_rq_active$/), connections: Math.max(0, connections) };
    },
    facesOutside: async (faces) => {
      // without a value Envoy forgets what was set before
      const set = Object.entries(resets.gateway).map(([key, value]) => `${key}=${faces ? value : ''}`);
      await request('POST', `/runtime_modify?${set.join('&')}`);
    },
    drain: async () => void (await request('POST', '/drain_listeners?graceful&skip_exit')),
    quit: async () => void (await request('POST', '/quitquitquit')),
    get: (path) => request('GET', path),
  };
}

const entries = (value: unknown): readonly Fields[] => (Array.isArray(value) ? value.map((entry) => fieldsOf(entry, 'an entry')) : []);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const maybe = (value: unknown): Fields | null => (typeof value === 'object' && value !== null ? fieldsOf(value, 'a state') : null);
const nameOf = (one: Fields): string => text(one['name']);
const clusterOf = (one: Fields): string => nestedName(one['cluster']);
const itself = (one: Fields): Fields => one;
/**
 * Whether a handshake that names no server ends in Envoy: at a listener for the mesh it does; at a gateway's where each chain that would take it ends its TLS, or
 * reads requests. One whose connections go on as they are would bring it to an application; an application's own way out is one of those.
 */
function isDoor(listener: Fields): boolean {
  const name = nameOf(listener);
  if (/^(inbound|capture)\//.test(name)) return true;
  return (
    name.startsWith('gateway/') &&
    entries(listener['filter_chains']).every((chain) => {
      const names = maybe(chain['filter_chain_match'])?.['server_names'];
      const isHttp = entries(chain['filters']).some((filter) =>
        text(maybe(filter['typed_config'])?.['@type']).endsWith('.HttpConnectionManager'),
      );
      return (Array.isArray(names) && names.length > 0) || chain['transport_socket'] !== undefined || isHttp;
    })
  );
}
const nestedName = (value: unknown): string => text(maybe(value)?.['name']);

function versions(
  list: readonly Fields[],
  name: (one: Fields) => string,
  state: (one: Fields) => Fields | null,
): { readonly [name: string]: string } {
  const result: Record<string, string> = {};
  for (const one of list) {
    const version = text(state(one)?.['version_info']);
    if (version !== '') result[name(one)] = version;
  }
  return result;
}

/** What serves, by name: what was acknowledged before Envoy was looked at, unless it still warms. */
function serving(
  shown: { readonly [name: string]: string },
  acknowledged: ReadonlyMap<string, string>,
  warms: ReadonlySet<string>,
): { readonly [name: string]: string } {
  return Object.fromEntries(
    Object.entries(shown).map(([name, version]) => [name, (warms.has(name) ? undefined : acknowledged.get(name)) ?? version]),
  );
}
