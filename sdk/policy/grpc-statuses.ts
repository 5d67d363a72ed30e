/** The list of core/mesh/grpc-status.ts, which the sandbox does not load: by number from 1. */
import { freeze } from './intrinsics';

export const grpcStatuses = freeze([
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
] as const);
