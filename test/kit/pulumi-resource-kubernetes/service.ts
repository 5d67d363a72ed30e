/** `pulumirpc.ResourceProvider` over the provider: messages in, plain JSON to it, messages out. */
import {
  Metadata,
  status as grpcStatus,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServiceError,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { PluginInfo } from '@pulumi/pulumi/proto/plugin_pb';
import * as proto from '@pulumi/pulumi/proto/provider_pb';
import { Status } from '@pulumi/pulumi/proto/status_pb';
import { Any } from 'google-protobuf/google/protobuf/any_pb';
import { Empty } from 'google-protobuf/google/protobuf/empty_pb';
import type { JsonObject } from '../../../core/lib/json';
import type { EngineLog } from '../../../deploy/provider/engine-log';
import { changesBetween } from './checkpoint';
import { PartialError, type Difference, type KubernetesProvider, type Operation } from './provider';
import { fromStruct, toStruct } from './values';

export interface ServiceParts {
  readonly version: string;
  readonly provider: KubernetesProvider;
  readonly configure: (settings: JsonObject) => Promise<void>;
  readonly log: EngineLog;
  readonly cancel: AbortController;
}

export function kubernetesService({ version, provider, configure, log, cancel }: ServiceParts): UntypedServiceImplementation {
  const unary =
    <Request, Response>(handler: (request: Request) => Promise<Response>) =>
    (call: ServerUnaryCall<Request, Response>, answer: sendUnaryData<Response>): void => {
      handler(call.request)
        .finally(() => log.flush())
        .then(
          (response) => answer(null, response),
          (error: unknown) => answer(serviceError(error)),
        );
    };
  const operation = (urn: string, timeoutSeconds: number, preview: boolean): Operation => ({
    preview,
    timeoutSeconds,
    signal: cancel.signal,
    tell: log.for(urn),
  });
  return {
    getPluginInfo: unary(async (_request: Empty) => {
      const info = new PluginInfo();
      info.setVersion(version);
      return info;
    }),
    getSchema: unary(async (_request: proto.GetSchemaRequest) => {
      const response = new proto.GetSchemaResponse();
      response.setSchema(JSON.stringify({ name: 'kubernetes', version, resources: {} }));
      return response;
    }),
    checkConfig: unary(async (request: proto.CheckRequest) => {
      const response = new proto.CheckResponse();
      response.setInputs(request.getNews());
      return response;
    }),
    diffConfig: unary(async (request: proto.DiffRequest) => {
      const changes = changesBetween(fromStruct(request.getOlds()), fromStruct(request.getNews()));
      return diffResponse({ changes, replaces: [], deleteBeforeReplace: false });
    }),
    configure: unary(async (request: proto.ConfigureRequest) => {
      const settings: Record<string, string> = {};
      request.getVariablesMap().forEach((value, key) => void (settings[key.split(':').at(-1) ?? key] = value));
      await configure({ ...settings, ...fromStruct(request.getArgs()) });
      const response = new proto.ConfigureResponse();
      response.setSupportspreview(true);
      response.setAcceptsecrets(false);
      return response;
    }),
    check: unary(async (request: proto.CheckRequest) => {
      const response = new proto.CheckResponse();
      response.setInputs(toStruct(provider.check(request.getUrn(), fromStruct(request.getOlds()), fromStruct(request.getNews()))));
      return response;
    }),
    diff: unary(async (request: proto.DiffRequest) =>
      diffResponse(provider.diff(fromStruct(request.getOlds()), fromStruct(request.getNews()), request.getIgnorechangesList())),
    ),
    create: unary(async (request: proto.CreateRequest) => {
      const made = await provider.create(
        fromStruct(request.getProperties()),
        operation(request.getUrn(), request.getTimeout(), request.getPreview()),
      );
      const response = new proto.CreateResponse();
      response.setId(made.id);
      response.setProperties(toStruct(made.state));
      return response;
    }),
    update: unary(async (request: proto.UpdateRequest) => {
      const made = await provider.update(
        fromStruct(request.getOlds()),
        fromStruct(request.getNews()),
        operation(request.getUrn(), request.getTimeout(), request.getPreview()),
      );
      const response = new proto.UpdateResponse();
      response.setProperties(toStruct(made.state));
      return response;
    }),
    read: unary(async (request: proto.ReadRequest) => {
      const found = await provider.read(request.getId(), fromStruct(request.getProperties()), fromStruct(request.getInputs()));
      const response = new proto.ReadResponse();
      if (found === null) return response;
      response.setId(found.id);
      response.setProperties(toStruct(found.state));
      response.setInputs(toStruct(found.inputs));
      return response;
    }),
    delete: unary(async (request: proto.DeleteRequest) => {
      await provider.delete(request.getId(), fromStruct(request.getProperties()), operation(request.getUrn(), request.getTimeout(), false));
      return new Empty();
    }),
    cancel: unary(async (_request: Empty) => {
      cancel.abort(new Error('cancelled'));
      return new Empty();
    }),
  };
}

function diffResponse({ changes, replaces, deleteBeforeReplace }: Difference): proto.DiffResponse {
  const { DiffChanges } = proto.DiffResponse;
  const { Kind } = proto.PropertyDiff;
  const kinds = {
    add: [Kind.ADD, Kind.ADD_REPLACE],
    delete: [Kind.DELETE, Kind.DELETE_REPLACE],
    update: [Kind.UPDATE, Kind.UPDATE_REPLACE],
  } as const;
  const response = new proto.DiffResponse();
  response.setChanges(changes.length === 0 ? DiffChanges.DIFF_NONE : DiffChanges.DIFF_SOME);
  response.setHasdetaileddiff(true);
  response.setReplacesList([...replaces]);
  response.setDiffsList([...new Set(changes.map(({ path }) => path.split(/[.[]/, 1)[0] ?? path))]);
  response.setDeletebeforereplace(deleteBeforeReplace);
  for (const { path, kind } of changes) {
    const difference = new proto.PropertyDiff();
    difference.setKind(kinds[kind][replaces.includes(path) ? 1 : 0]);
    response.getDetaileddiffMap().set(path, difference);
  }
  return response;
}

/** What was written and did not become live carries its state in the error's details, where the engine looks for it. */
function serviceError(error: unknown): Partial<ServiceError> {
  const message = error instanceof Error ? error.message : String(error);
  const metadata = new Metadata();
  if (error instanceof PartialError) {
    const detail = new proto.ErrorResourceInitFailed();
    detail.setId(error.id);
    detail.setProperties(toStruct(error.state));
    detail.setReasonsList([message]);
    const any = new Any();
    any.pack(detail.serializeBinary(), 'pulumirpc.ErrorResourceInitFailed');
    const rich = new Status();
    rich.setCode(grpcStatus.UNKNOWN);
    rich.setMessage(message);
    rich.addDetails(any);
    metadata.set('grpc-status-details-bin', Buffer.from(rich.serializeBinary()));
  }
  return { code: grpcStatus.UNKNOWN, details: message, metadata };
}
