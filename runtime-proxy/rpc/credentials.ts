/** TLS credentials for gRPC that follow a certificate as it rotates, without a restart and without closing what is open. */
import { credentials, experimental, type ChannelCredentials, type ChannelOptions, type ServerCredentials } from '@grpc/grpc-js';
import type { Principal } from '../../core/mesh/ids';
import { uriOf } from '../ca/spiffe';

/** A key with its chain and the roots that peers are verified by, all PEM. */
export interface KeyMaterial {
  readonly key: string;
  readonly chain: string;
  readonly trust: string;
}
export interface RotatingCredentials {
  readonly credentials: ServerCredentials;
  /** New connections get the new material; open ones stay as they are. */
  rotate(material: KeyMaterial): void;
}

type Listener = Parameters<experimental.CertificateProvider['addIdentityCertificateListener']>[0];
type CaListener = Parameters<experimental.CertificateProvider['addCaCertificateListener']>[0];

/** Server credentials. `clients`: whether a client without a certificate is refused in the handshake (`required`) or is nobody (`optional`). */
export function serverCredentials(initial: KeyMaterial, clients: 'required' | 'optional'): RotatingCredentials {
  let current = initial;
  const identityListeners = new Set<Listener>();
  const caListeners = new Set<CaListener>();
  const identity = (): { certificate: Buffer; privateKey: Buffer } => ({
    certificate: Buffer.from(current.chain),
    privateKey: Buffer.from(current.key),
  });
  const ca = (): { caCertificate: Buffer } => ({ caCertificate: Buffer.from(current.trust) });
  const provider: experimental.CertificateProvider = {
    // The server reads its first context only after it has added its listeners, so the first news must come later than this call.
    addIdentityCertificateListener: (listener) => (identityListeners.add(listener), process.nextTick(() => listener(identity()))),
    removeIdentityCertificateListener: (listener) => void identityListeners.delete(listener),
    addCaCertificateListener: (listener) => (caListeners.add(listener), process.nextTick(() => listener(ca()))),
    removeCaCertificateListener: (listener) => void caListeners.delete(listener),
  };
  return {
    credentials: experimental.createCertificateProviderServerCredentials(provider, provider, clients === 'required'),
    rotate(material) {
      current = material;
      for (const listener of caListeners) listener(ca());
      for (const listener of identityListeners) listener(identity());
    },
  };
}

/** A channel of its own (so that closing it closes the connection), without retries behind our back; the name is not looked at, see `clientCredentials`. */
export const channelOptions: ChannelOptions = {
  'grpc.enable_retries': 0,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.ssl_target_name_override': 'meshwright.invalid',
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
};

/** Client credentials that accept exactly one server: the one whose certificate names `server`. Host names mean nothing in the mesh. */
export function clientCredentials(
  trust: string,
  server: Principal,
  own: { readonly key: string; readonly chain: string } | null,
): ChannelCredentials {
  return credentials.createSsl(Buffer.from(trust), own && Buffer.from(own.key), own && Buffer.from(own.chain), {
    checkServerIdentity: (_host, certificate) =>
      uriOf(certificate.subjectaltname) === server
        ? undefined
        : new Error(`the server shows ${certificate.subjectaltname ?? 'no name'}, not ${server}`),
  });
}
