import type { Layer } from './ir';

/** Whether a proxy reads the requests of such a port: HTTP, and gRPC over it. */
export const isHttp = (layer: Layer): layer is 'http' | 'grpc' => layer === 'http' || layer === 'grpc';
/** Whether its connections are routed whole. */
export const isConnection = (layer: Layer): layer is 'tls' | 'tcp' => !isHttp(layer);
