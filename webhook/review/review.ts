/** An AdmissionReview request of `admission.k8s.io/v1`, decoded strictly. https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/ */
import { isFields, JsonError, memberOf, parseJson, type JsonFields } from './json';

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
const operations: readonly string[] = ['CREATE', 'UPDATE', 'DELETE', 'CONNECT'] satisfies readonly Operation[];

export interface GroupKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}
export interface GroupResource {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
}
/** Who asks, as the API server authenticated it. */
export interface UserInfo {
  readonly username: string;
  readonly groups: readonly string[];
  /** What the authenticator adds, such as claims of a token. A Map: the keys are the sender's. */
  readonly extra?: ReadonlyMap<string, readonly string[]>;
}
export interface Review {
  readonly uid: string;
  readonly operation: Operation;
  readonly kind: GroupKind;
  readonly resource: GroupResource;
  /** `status`, `scale`, `ephemeralcontainers`; empty for the object itself. */
  readonly subresource: string;
  /** Empty where the server makes it later (`generateName`), and for each object of a deleted collection: `nameOf` asks the object too. */
  readonly name: string;
  readonly namespace: string;
  readonly user: UserInfo;
  readonly dryRun: boolean;
  /** null for DELETE, and for what has none. */
  readonly object: JsonFields | null;
  /** null for CREATE and CONNECT. */
  readonly oldObject: JsonFields | null;
}

/** Why a body is no review; one line, answered with HTTP 400. */
export class ReviewError extends Error {
  override readonly name = 'ReviewError';
}

/** Decodes a body. Throws ReviewError: what cannot be read is never answered with a verdict. */
export function parseReview(body: Uint8Array): Review {
  try {
    return decode(parseJson(body));
  } catch (error) {
    if (error instanceof JsonError) throw new ReviewError(error.message);
    throw error;
  }
}

function decode(value: unknown): Review {
  if (!isFields(value)) throw new ReviewError('it is not an object');
  if (memberOf(value, 'apiVersion') !== 'admission.k8s.io/v1' || memberOf(value, 'kind') !== 'AdmissionReview')
    throw new ReviewError('it is not an `AdmissionReview` of `admission.k8s.io/v1`');
  const request = memberOf(value, 'request');
  if (!isFields(request)) throw new ReviewError('it has no `request`');
  const uid = text(request, 'uid');
  if (uid === '' || uid.length > 256) throw new ReviewError('`request.uid` is not an id');
  const operation = text(request, 'operation');
  if (!isOperation(operation)) throw new ReviewError('`request.operation` is none of CREATE, UPDATE, DELETE, CONNECT');
  const kind = fields(request, 'kind');
  const resource = fields(request, 'resource');
  const user = fields(request, 'userInfo');
  const groups = memberOf(user, 'groups') ?? [];
  if (!Array.isArray(groups) || !groups.every((group): group is string => typeof group === 'string'))
    throw new ReviewError('`request.userInfo.groups` is not a list of texts');
  const dryRun = memberOf(request, 'dryRun') ?? false;
  if (typeof dryRun !== 'boolean') throw new ReviewError('`request.dryRun` is neither true nor false');
  return {
    uid,
    operation,
    kind: { group: optionalText(kind, 'group'), version: text(kind, 'version'), kind: text(kind, 'kind') },
    resource: { group: optionalText(resource, 'group'), version: text(resource, 'version'), resource: text(resource, 'resource') },
    subresource: optionalText(request, 'subResource'),
    name: optionalText(request, 'name'),
    namespace: optionalText(request, 'namespace'),
    user: { username: optionalText(user, 'username'), groups, extra: extraOf(memberOf(user, 'extra') ?? {}) },
    dryRun,
    object: objectIn(request, 'object'),
    oldObject: objectIn(request, 'oldObject'),
  };
}

/** The name of what is reviewed; empty where it has none yet. */
export function nameOf({ name, object, oldObject }: Review): string {
  const own = memberOf(memberOf(object ?? oldObject, 'metadata'), 'name');
  return name !== '' ? name : typeof own === 'string' ? own : '';
}

function extraOf(value: unknown): ReadonlyMap<string, readonly string[]> {
  if (!isFields(value)) throw new ReviewError('`request.userInfo.extra` is not an object');
  return new Map(
    Object.entries(value).map(([key, list]) => {
      if (!Array.isArray(list) || !list.every((one): one is string => typeof one === 'string'))
        throw new ReviewError('`request.userInfo.extra` holds something that is not a list of texts');
      return [key, list] as const;
    }),
  );
}

const isOperation = (value: string): value is Operation => operations.includes(value);

function fields(value: unknown, name: string): JsonFields {
  const member = memberOf(value, name);
  if (!isFields(member)) throw new ReviewError(`\`request.${name}\` is not an object`);
  return member;
}

function text(value: unknown, name: string): string {
  const member = memberOf(value, name);
  if (typeof member !== 'string') throw new ReviewError(`\`${name}\` is not a text`);
  return member;
}

const optionalText = (value: unknown, name: string): string => (memberOf(value, name) === undefined ? '' : text(value, name));

function objectIn(request: JsonFields, name: string): JsonFields | null {
  const value = memberOf(request, name);
  if (value === undefined || value === null) return null;
  if (!isFields(value)) throw new ReviewError(`\`request.${name}\` is not an object`);
  return value;
}
