/** The statuses of the gRPC protocol that are no success, by number from 1 (grpc.io, "Status codes and their use in gRPC"). */
export const grpcStatuses = [
  'cancelled',
  'unknown',
  'invalid-argument',
  'deadline-exceeded',
  'not-found',
  'already-exists',
  'permission-denied',
  'resource-exhausted',
  'failed-precondition',
  'aborted',
  'out-of-range',
  'unimplemented',
  'internal',
  'unavailable',
  'data-loss',
  'unauthenticated',
] as const;
export type GrpcStatus = (typeof grpcStatuses)[number];

export const grpcStatusNumber = (status: GrpcStatus): number => grpcStatuses.indexOf(status) + 1;
/** Its name, for people. */
export const grpcStatusText = (status: number): string => grpcStatuses[status - 1] ?? String(status);

/** What a status of HTTP is to a client of gRPC (grpc.io, "HTTP to gRPC Status Code Mapping"). */
export const grpcStatusOf = (httpStatus: number): number => grpcStatusNumber(ofHttp.get(httpStatus) ?? 'unknown');
const ofHttp: ReadonlyMap<number, GrpcStatus> = new Map([
  [400, 'internal'],
  [401, 'unauthenticated'],
  [403, 'permission-denied'],
  [404, 'unimplemented'],
  [429, 'unavailable'],
  [502, 'unavailable'],
  [503, 'unavailable'],
  [504, 'unavailable'],
]);
