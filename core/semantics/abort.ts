import type { Abort } from '../ir/ir';
import { grpcStatusText } from '../mesh/grpc-status';

/** What a call that is aborted is answered with, for people: `503`, or `the gRPC status unavailable`. */
export const abortText = ({ kind, status }: Abort): string =>
  kind === 'http' ? String(status) : `the gRPC status ${grpcStatusText(status)}`;
