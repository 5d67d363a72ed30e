/** A client of the control plane that is not Envoy: it speaks ADS message by message, and may speak it wrongly. Its identity comes from the mesh's CA. */
import { create, type DescMessage, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { Client, type ClientDuplexStream, type StatusObject } from '@grpc/grpc-js';
import { RouteConfigurationSchema } from '../../core/wire/gen/envoy/config/route/v3/route_pb';
import { AggregatedDiscoveryService } from '../../core/wire/gen/envoy/service/discovery/v3/ads_pb';
import {
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  type DiscoveryResponseSchema,
  ResourceSchema,
  type DiscoveryResponse,
} from '../../core/wire/gen/envoy/service/discovery/v3/discovery_pb';
import { typeUrl } from '../../core/wire/type-url';
import { systemClock } from '../../platform/clock';
import { silentLog } from '../../platform/log';
import { reportMethod } from '../../runtime-proxy/agent/protocol';
import type { Activity } from '../../runtime-proxy/agent/envoy-admin';
import { holdIdentity, type Svid } from '../../runtime-proxy/ca/client';
import { controlPlanePrincipal } from '../../runtime-proxy/ca/spiffe';
import { channelOptions, clientCredentials } from '../../runtime-proxy/rpc/credentials';
import { protobufMethod } from '../../runtime-proxy/rpc/protobuf-method';
import * as fs from 'node:fs/promises';
import { trustDomain, type RunningMesh } from './running-mesh';

export interface XdsStream<Request extends DescMessage, Response extends DescMessage> {
  send(request: MessageInitShape<Request>): void;
  /** The next response that nobody has taken yet. Rejects when the stream ends first, or nothing comes for 60 s. */
  next(): Promise<MessageShape<Response>>;
  /** Responses that came so far. */
  count(): number;
  /** How it ended. */
  readonly ended: Promise<StatusObject>;
  cancel(): void;
  /** Whether what was written waits for the server to read. */
  full(): boolean;
}
export interface XdsClient {
  world(): XdsStream<typeof DiscoveryRequestSchema, typeof DiscoveryResponseSchema>;
  delta(): XdsStream<typeof DeltaDiscoveryRequestSchema, typeof DeltaDiscoveryResponseSchema>;
  /** Speaks as the agent: this is what its Envoy serves with. */
  report(activity: Partial<Activity>): void;
  close(): void;
}

/** The identity that the CA gives an instance. */
export async function svidOf(
  mesh: RunningMesh,
  identity: { readonly instance: string; readonly workload: string; readonly principal: string },
): Promise<Svid> {
  let token: string | null = await mesh.mint(identity);
  const holder = await holdIdentity(
    {
      trustDomain,
      address: mesh.controlPlaneConfig.ca.address,
      trust: await fs.readFile(mesh.controlPlaneConfig.ca.trustFile, 'utf8'),
      token: () => {
        const once = token;
        token = null;
        return Promise.resolve(once);
      },
    },
    { clock: systemClock, log: silentLog },
  );
  const svid = holder.current();
  holder.close();
  return svid;
}

/** Connects with a certificate; null: with the mesh's roots and nothing to show. */
export function xdsClient(mesh: RunningMesh, svid: Svid, shows = true): XdsClient {
  const { host, port } = mesh.controlPlaneConfig.listen;
  const client = new Client(`${host}:${port}`, clientCredentials(svid.trust, controlPlanePrincipal(trustDomain), shows ? svid : null), {
    ...channelOptions,
    'grpc.max_receive_message_length': 64 * 1024 * 1024,
  });
  const { method } = AggregatedDiscoveryService;
  let reports: ClientDuplexStream<Parameters<typeof reportMethod.requestSerialize>[0], unknown> | null = null;
  return {
    world: () => follow(client, protobufMethod(method.streamAggregatedResources), DiscoveryRequestSchema),
    delta: () => follow(client, protobufMethod(method.deltaAggregatedResources), DeltaDiscoveryRequestSchema),
    report(activity) {
      if (reports === null) {
        reports = client.makeBidiStreamRequest(reportMethod.path, reportMethod.requestSerialize, reportMethod.responseDeserialize);
        reports.on('error', () => undefined);
        reports.on('data', () => undefined);
      }
      reports.write({
        ...{ envoyVersion: '1.40.0', live: true, draining: false, starts: 1, notAfter: svid.notAfter, secrets: [] },
        activity: { listeners: {}, routes: {}, clusters: {}, hosts: {}, warming: 0, draining: 0, drainingListeners: [], ...activity },
      });
    },
    close: () => client.close(),
  };
}

function follow<Request extends DescMessage, Response extends DescMessage>(
  client: Client,
  method: ReturnType<typeof protobufMethod<Request, Response>>,
  schema: Request,
): XdsStream<Request, Response> {
  const stream = client.makeBidiStreamRequest(method.path, method.requestSerialize, method.responseDeserialize);
  const come: MessageShape<Response>[] = [];
  let count = 0;
  let wake: () => void = () => undefined;
  let over: StatusObject | null = null;
  let full = false;
  const ended = new Promise<StatusObject>((resolve) =>
    stream.on('status', (status: StatusObject) => ((over = status), wake(), resolve(status))),
  );
  stream.on('error', () => undefined);
  stream.on('drain', () => (full = false));
  stream.on('data', (response: MessageShape<Response>) => {
    come.push(response);
    count += 1;
    wake();
  });
  return {
    send: (request) => void (full = !stream.write(create(schema, request))),
    async next() {
      const end = performance.now() + 60_000;
      for (;;) {
        const first = come.shift();
        if (first !== undefined) return first;
        if (over !== null) throw new Error(`the stream ended: ${over.code} ${over.details}`);
        if (performance.now() > end) throw new Error('nothing came for 60 s');
        await new Promise<void>((resolve) => {
          wake = resolve;
          setTimeout(resolve, 100).unref();
        });
      }
    },
    count: () => count,
    ended,
    cancel: () => stream.cancel(),
    full: () => full,
  };
}

/** Name -> version of what a response of the state of the world holds. */
export function resourcesOf(response: DiscoveryResponse): { readonly [name: string]: string } {
  return Object.fromEntries(
    response.resources.map((any) => {
      const resource = anyUnpack(any, ResourceSchema);
      if (!resource) throw new Error(`a ${any.typeUrl} without its name`);
      return [resource.name, resource.version];
    }),
  );
}
/** The clusters that the routes of a response go to. */
export function routedTo(response: DiscoveryResponse): readonly string[] {
  if (response.typeUrl !== typeUrl.route) return [];
  return response.resources.flatMap((any) => {
    const resource = anyUnpack(any, ResourceSchema)?.resource;
    const routes = resource === undefined ? undefined : anyUnpack(resource, RouteConfigurationSchema);
    return (routes?.virtualHosts ?? []).flatMap((host) =>
      host.routes.flatMap(({ action }) => {
        const to = action.case === 'route' ? action.value.clusterSpecifier : undefined;
        if (to?.case === 'cluster') return [to.value];
        return to?.case === 'weightedClusters' ? to.value.clusters.map(({ name }) => name) : [];
      }),
    );
  });
}
