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
