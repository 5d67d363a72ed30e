/** A real Envoy whose listeners and route configurations change while it runs, each for itself, as under a control plane: it follows them in files. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { Json, JsonObject } from '../../core/lib/json';
import { temporaryFolder } from '../../platform/files';
import { freePorts } from '../../platform/ports';
import { isList, isRecord } from '../../runtime-proxy/bind/addresses';
import { staticBootstrap } from '../../runtime-proxy/validate/static-bootstrap';
import { type RunningEnvoy, startEnvoy } from './envoy';
import type { EnvoySide } from './whole-mesh';

export interface FollowedEnvoy {
  readonly envoy: RunningEnvoy;
  /** Listeners and routes of another state of the mesh. Its clusters and secrets are those that the Envoy was started with. */
  put(side: EnvoySide): Promise<void>;
  stop(): Promise<void>;
}

/** Starts it with the listeners of `first`, and with clusters and secrets of `whole`. */
export async function followedEnvoy(first: EnvoySide, whole: EnvoySide = first): Promise<FollowedEnvoy> {
  const folder = await temporaryFolder('followed');
  const [adminPort = 0] = await freePorts(1);
  const listenersFile = path.join(folder, 'listeners.json');
  const bootstrapOf = ({ proxy, secrets, assignments }: EnvoySide): JsonObject =>
    staticBootstrap({ proxies: [proxy], adminPort, secrets, assignments });
  const put = async (side: EnvoySide): Promise<void> => {
    const routes = new Map<string, JsonObject>();
    const fileOf = (name: string): string => path.join(folder, `${encodeURIComponent(name)}.json`);
    const listeners = listenersOf(bootstrapOf(side)).map((listener) => ({
      '@type': 'type.googleapis.com/envoy.config.listener.v3.Listener',
      ...withRoutesElsewhere(listener, routes, fileOf),
    }));
    for (const [name, json] of routes)
      await replace(fileOf(name), [{ '@type': 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration', ...json }]);
    await replace(listenersFile, listeners);
  };
  await put(first);
  const bootstrap = bootstrapOf(whole);
  const { listeners: _own, ...staticResources } = recordOf(bootstrap['staticResources']);
  const envoy = await startEnvoy(
    {
      ...bootstrap,
      staticResources,
      dynamicResources: { ldsConfig: { pathConfigSource: { path: listenersFile }, resourceApiVersion: 'V3' } },
    },
    adminPort,
  );
  return {
    envoy,
    put,
    async stop() {
      await envoy.stop();
      await fs.rm(folder, { recursive: true, force: true });
    },
  };
}

/** Takes the route configurations out of a listener: they are found by their names, and change without it. */
function withRoutesElsewhere(listener: JsonObject, routes: Map<string, JsonObject>, fileOf: (name: string) => string): JsonObject {
  const walk = (value: Json): Json => {
    if (isList(value)) return value.map(walk);
    if (!isRecord(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]): [string, Json] => {
        if (key !== 'routeConfig' || !isRecord(inner)) return [key, walk(inner)];
        const routeConfigName = String(inner['name']);
        routes.set(routeConfigName, inner);
        return [
          'rds',
          { routeConfigName, configSource: { pathConfigSource: { path: fileOf(routeConfigName) }, resourceApiVersion: 'V3' } },
        ];
      }),
    );
  };
  return recordOf(walk(listener));
}

/** Envoy follows a file that is moved there. */
async function replace(file: string, resources: readonly Json[]): Promise<void> {
  await fs.writeFile(`${file}.next`, JSON.stringify({ version_info: String(Math.random()), resources }));
  await fs.rename(`${file}.next`, file);
}
const listenersOf = (bootstrap: JsonObject): readonly JsonObject[] => {
  const listeners = recordOf(bootstrap['staticResources'])['listeners'];
  return isList(listeners) ? listeners.map(recordOf) : [];
};
function recordOf(value: Json | undefined): JsonObject {
  if (!isRecord(value)) throw new Error('internal: not an object');
  return value;
}
