import type { Layer } from './ir';

/** Whether a proxy reads the requests of such a port: HTTP, and gRPC over it. */
export const isHttp = (layer: Layer): layer is 'http' | 'grpc' => layer === 'http' || layer === 'grpc';
/** Whether the last proxy speaks TLS to a host outside for an application that does not, and verifies who it is. */
export const isTlsMade = (protocol: string): boolean => protocol === 'https' || protocol === 'grpcs';
/** Whether its connections are routed whole. */
export const isConnection = (layer: Layer): layer is 'tls' | 'tcp' => !isHttp(layer);
