/** Pulumi's resource provider protocol over the resource types: messages in, plain JSON to the types, messages out. */
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
import { Struct, type JavaScriptValue } from 'google-protobuf/google/protobuf/struct_pb';
import type { Json, JsonObject } from '../../core/lib/json';
import type { EngineLog } from './engine-log';
import { UnfinishedError, type Call, type Difference, type ResourceType } from './resource';

export interface ProviderParts {
  readonly version: string;
  readonly types: { readonly [token: string]: ResourceType };
  readonly log: EngineLog;
  /** Called when Pulumi asks to stop what is under way. */
  readonly cancel: AbortController;
  /** Provider configuration, from the stack's `meshwright:*`; before any resource is touched. Throws to refuse. */
  readonly configure: (settings: ReadonlyMap<string, string>) => void;
}

type Handler<Request, Response> = (request: Request) => Promise<Response>;

/** The methods of `pulumirpc.ResourceProvider`; what is not here answers UNIMPLEMENTED, as the protocol has it. */
export function providerService(parts: ProviderParts): UntypedServiceImplementation {
  const typeOf = (urn: string): ResourceType => {
    const token = urn.split('::')[2]?.split('$').at(-1) ?? '';
    const type = Object.hasOwn(parts.types, token) ? parts.types[token] : undefined;
    if (!type) throw new Error(`the provider has no resource type \`${token}\``);
    return type;
  };
  const callOf = (urn: string, timeoutSeconds: number, dryRun: boolean): Call => ({
    ...parts.log.for(urn),
    timeoutMs: timeoutSeconds > 0 ? timeoutSeconds * 1000 : null,
    signal: parts.cancel.signal,
    dryRun,
  });
  const unary =
    <Request, Response>(handler: Handler<Request, Response>) =>
    (call: ServerUnaryCall<Request, Response>, answer: sendUnaryData<Response>): void => {
      handler(call.request)
        .finally(() => parts.log.flush())
        .then(
          (response) => answer(null, response),
          (error: unknown) => answer(serviceError(error)),
        );
    };
  return {
    getPluginInfo: unary(async (_request: Empty) => {
      const info = new PluginInfo();
      info.setVersion(parts.version);
      return info;
    }),
    getSchema: unary(async (_request: proto.GetSchemaRequest) => {
      const response = new proto.GetSchemaResponse();
      response.setSchema(
        JSON.stringify({
          name: 'meshwright',
          version: parts.version,
          resources: Object.fromEntries(Object.keys(parts.types).map((token) => [token, {}])),
        }),
      );
      return response;
    }),
    checkConfig: unary(async (request: proto.CheckRequest) => {
      const response = new proto.CheckResponse();
      response.setInputs(request.getNews());
      return response;
    }),
    // Where the control plane is may change from run to run; that is no change of what is deployed.
    diffConfig: unary(async (_request: proto.DiffRequest) => {
      const response = new proto.DiffResponse();
      response.setChanges(proto.DiffResponse.DiffChanges.DIFF_NONE);
      return response;
    }),
    configure: unary(async (request: proto.ConfigureRequest) => {
      const settings = new Map<string, string>();
      request.getVariablesMap().forEach((value, key) => settings.set(key.split(':').at(-1) ?? key, value));
      parts.configure(settings);
      const response = new proto.ConfigureResponse();
      response.setSupportspreview(true);
      response.setAcceptsecrets(false);
      response.setAcceptresources(false);
      response.setAcceptoutputs(false);
      return response;
    }),
    check: unary(async (request: proto.CheckRequest) => {
      const response = new proto.CheckResponse();
      const failures = typeOf(request.getUrn()).check(fromStruct(request.getNews()));
      response.setInputs(request.getNews());
      response.setFailuresList(
        failures.map(({ property, reason }) => {
          const failure = new proto.CheckFailure();
          failure.setProperty(property);
          failure.setReason(reason);
          return failure;
        }),
      );
      return response;
    }),
    diff: unary(async (request: proto.DiffRequest) =>
      diffResponse(typeOf(request.getUrn()).diff(fromStruct(request.getOlds()), fromStruct(request.getNews()))),
    ),
    create: unary(async (request: proto.CreateRequest) => {
      const { id, properties } = await typeOf(request.getUrn()).create(
        fromStruct(request.getProperties()),
        callOf(request.getUrn(), request.getTimeout(), request.getPreview()),
      );
      const response = new proto.CreateResponse();
      response.setId(request.getPreview() ? '' : id);
      response.setProperties(toStruct(properties));
      return response;
    }),
    update: unary(async (request: proto.UpdateRequest) => {
      const call = callOf(request.getUrn(), request.getTimeout(), request.getPreview());
      const { properties } = await typeOf(request.getUrn()).update(
        request.getId(),
        fromStruct(request.getOlds()),
        fromStruct(request.getNews()),
        call,
      );
      const response = new proto.UpdateResponse();
      response.setProperties(toStruct(properties));
      return response;
    }),
    read: unary(async (request: proto.ReadRequest) => {
      const call = callOf(request.getUrn(), request.getTimeout(), false);
      const state = await typeOf(request.getUrn()).read(request.getId(), fromStruct(request.getProperties()), call);
      const response = new proto.ReadResponse();
      if (state === null) return response;
      if (state.unfinished) throw new UnfinishedError(state, state.unfinished.join('; '));
      response.setId(state.id);
      response.setProperties(toStruct(state.properties));
      response.setInputs(toStruct({ ...fromStruct(request.getInputs()), ...state.properties }));
      return response;
    }),
    delete: unary(async (request: proto.DeleteRequest) => {
      const call = callOf(request.getUrn(), request.getTimeout(), false);
      await typeOf(request.getUrn()).delete(request.getId(), fromStruct(request.getProperties()), call);
      return new Empty();
    }),
    cancel: unary(async (_request: Empty) => {
      parts.cancel.abort(new Error('cancelled'));
      return new Empty();
    }),
  };
}

function diffResponse({ kind, changed }: Difference): proto.DiffResponse {
  const { DiffChanges } = proto.DiffResponse;
  const { Kind } = proto.PropertyDiff;
  const response = new proto.DiffResponse();
  response.setChanges(kind === 'none' ? DiffChanges.DIFF_NONE : DiffChanges.DIFF_SOME);
  response.setHasdetaileddiff(true);
  const kinds = {
    add: [Kind.ADD, Kind.ADD_REPLACE],
    delete: [Kind.DELETE, Kind.DELETE_REPLACE],
    update: [Kind.UPDATE, Kind.UPDATE_REPLACE],
  } as const;
  for (const { path, change } of changed) {
    const difference = new proto.PropertyDiff();
    difference.setKind(kinds[change][kind === 'replace' ? 1 : 0]);
    difference.setInputdiff(true);
    response.getDetaileddiffMap().set(path, difference);
  }
  const properties = [...new Set(changed.map(({ path }) => path.split(/[.[]/, 1)[0] ?? path))];
  response.setDiffsList(properties);
  if (kind === 'replace') response.setReplacesList(properties);
  return response;
}

/** An unfinished operation carries its state in the error's details, where the engine looks for it. */
function serviceError(error: unknown): Partial<ServiceError> {
  const message = error instanceof Error ? error.message : String(error);
  const metadata = new Metadata();
  if (error instanceof UnfinishedError) {
    const detail = new proto.ErrorResourceInitFailed();
    detail.setId(error.state.id);
    detail.setProperties(toStruct(error.state.properties));
    detail.setReasonsList([error.reason]);
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

const fromStruct = (struct: Struct | undefined): JsonObject => {
  const value: Record<string, Json> = {};
  for (const [key, item] of Object.entries(struct?.toJavaScript() ?? {})) value[key] = toJson(item);
  return value;
};
const toStruct = (value: JsonObject): Struct =>
  Struct.fromJavaScript(Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toValue(item)])));

function toJson(value: unknown): Json {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  if (Array.isArray(value)) return value.map(toJson);
  return typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toJson(item)])) : null;
}
function toValue(value: Json): JavaScriptValue {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  if (Array.isArray(value)) return value.map(toValue);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toValue(item)]));
}
