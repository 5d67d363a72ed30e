/** The certificate authority as a server: gRPC for agents, HTTP on loopback for who may mint join tokens. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { status } from '@grpc/grpc-js';
import { hostPort } from '../../core/lib/host-port';
import { meshNamespace } from '../../core/bundle/custom-resource';
import { identityAudience } from '../../core/mesh/pod';
import { readTextIfThere, writeFileAtomic } from '../../platform/files';
import { kubeFromFile, kubeInCluster, type Kube } from '../../platform/kube';
import { createLog, type Log } from '../../platform/log';
import { createMetrics, metricsHandler } from '../../platform/metrics';
import { adminToken, serveAdmin, type AdminAnswer, type AdminRoute } from '../rpc/admin-http';
import { serverCredentials } from '../rpc/credentials';
import { DecodeError, fieldsOf, optionalNumberOf } from '../rpc/decode';
import { bind, createServer, RpcRefusal, stopServer, unary } from '../rpc/server';
import { takeFolder } from '../rpc/state-folder';
import { caIdentity, CsrRefused, fingerprintOf, newKeyAndCsr, openAuthority, type Authority, type Issued } from './authority';
import { podIdentities, TokenRefused, type PodIdentities } from './pods';
import { caMethods, isServiceAccountToken, type CertificateAnswer } from './protocol';
import { guardRoot } from './root-guard';
import { openAuthorityInSecret } from './root-secret';
import type { Identity, PeerIdentity } from './spiffe';
import { controlPlanePrincipal, isTrustDomain } from './spiffe';
import { identityFrom, openTokens } from './tokens';
import { publishTrust } from './trust-publisher';

/** The CA's configuration file, JSON. Times in milliseconds. */
export interface CaConfig {
  readonly trustDomain: string;
  /** Holds `root.key` (0600), `root.crt`, `tokens.json`; made when it is not there. */
  readonly stateDir: string;
  /** gRPC. Port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** HTTP, loopback. */
  readonly admin: { readonly host: string; readonly port: number };
  /** Admin token, made (0600) when it is not there. */
  readonly adminTokenFile: string;
  /** Where the roots are written (PEM) for agents to start from. Default `<stateDir>/trust.pem`. */
  readonly trustFile?: string;
  /** Lifetime of an SVID; default one hour. */
  readonly svidLifetimeMs?: number;
  /** Lifetime of a gateway's certificate; default one day. */
  readonly servingLifetimeMs?: number;
  /** Lifetime of a join token; default five minutes. */
  readonly tokenLifetimeMs?: number;
  /** Gateways' certificates, by `<namespace>/<name>`: the names they are for and who may have them. */
  readonly certificates?: { readonly [name: string]: { readonly hosts: readonly string[]; readonly principals: readonly string[] } };
  readonly kubernetes?: CaOnKubernetes;
}
/** On Kubernetes pods enrol by their projected service-account tokens, and the roots are published to every namespace. */
export interface CaOnKubernetes {
  /** Absent: as the pod that the CA runs in. */
  readonly kubeconfig?: string;
  /** Which tokens are for us; default `meshwright`. */
  readonly audience?: string;
  /** Secret in namespace `meshwright` that keeps the root, made when it is not there: then replicas of the CA are alike. Absent: `stateDir` keeps it. */
  readonly secret?: string;
}
export interface RunningCa {
  /** `127.0.0.1:port`. */
  readonly address: string;
  readonly adminUrl: string;
  readonly trustFile: string;
  close(): Promise<void>;
}

const hour = 3600 * 1000;

/** Starts the CA. Rejects with one line when it cannot. */
export async function serveCa(config: CaConfig, log: Log = createLog('ca')): Promise<RunningCa> {
  if (!isTrustDomain(config.trustDomain)) throw new Error(`\`${config.trustDomain}\` is not a trust domain: write it like a host name`);
  const now = (): number => Date.now();
  await fs.mkdir(config.stateDir, { recursive: true, mode: 0o700 });
  const giveBack = await takeFolder(config.stateDir, 'ca');
  const kube = config.kubernetes ? await openKube(config.kubernetes) : null;
  const secret = config.kubernetes?.secret;
  const kept =
    kube !== null && secret !== undefined
      ? await openAuthorityInSecret(kube, { namespace: meshNamespace, name: secret }, config.trustDomain, now)
      : null;
  const authority = kept?.authority ?? (await openAuthority(config.stateDir, config.trustDomain, now));
  const pods =
    kube === null
      ? null
      : podIdentities(kube, { trustDomain: config.trustDomain, audience: config.kubernetes?.audience ?? identityAudience }, now);
  const trustFile = config.trustFile ?? path.join(config.stateDir, 'trust.pem');
  await writeFileAtomic(trustFile, authority.trust);
  const tokensFile = path.join(config.stateDir, 'tokens.json');
  const tokens = await openTokens(
    { read: () => readTextIfThere(tokensFile), write: (text) => writeFileAtomic(tokensFile, text, { mode: 0o600 }) },
    now,
  );
  const metrics = createMetrics();
  const issued = metrics.counter({
    name: 'meshwright_ca_certificates_total',
    help: 'Certificates issued, by how they were asked for.',
    labels: ['kind'],
  });
  const refusals = metrics.counter({ name: 'meshwright_ca_refusals_total', help: 'Requests refused.', labels: ['kind'] });
  const svidLifetimeMs = config.svidLifetimeMs ?? hour;

  const refusing = async <T>(kind: string, made: Promise<T>): Promise<T> => {
    try {
      return await made;
    } catch (error) {
      refusals.inc({ kind });
      if (error instanceof CsrRefused) throw new RpcRefusal(status.INVALID_ARGUMENT, error.message);
      throw error;
    }
  };
  const answer = async (kind: string, make: Promise<Issued>): Promise<CertificateAnswer> => {
    const { chain, notAfter } = await refusing(kind, make);
    issued.inc({ kind });
    return { chain, notAfter, trust: authority.trust };
  };
  const refuse = (kind: string, code: status, message: string): never => {
    refusals.inc({ kind });
    throw new RpcRefusal(code, message);
  };
  const known = (kind: string, peer: PeerIdentity | null): PeerIdentity =>
    // A connection may be older than the certificate it was made with is good for.
    peer !== null && peer.notAfter > Date.now()
      ? peer
      : refuse(kind, status.UNAUTHENTICATED, 'show a certificate of this mesh that has not lapsed');
  const identityOfPod = async (identities: PodIdentities, token: string): Promise<Identity> => {
    try {
      return await identities.identify(token);
    } catch (error) {
      if (!(error instanceof TokenRefused)) throw error;
      log.warn({ reason: error.message }, 'a pod was refused');
      return refuse('enrol', error.kind === 'denied' ? status.PERMISSION_DENIED : status.UNAVAILABLE, error.message);
    }
  };
  const onError = (error: unknown): void => log.error({ err: error }, 'a request failed');

  const server = createServer();
  server.addService(caMethods, {
    enrol: unary<{ csr: string; token: string }, CertificateAnswer>(async ({ csr, token }) => {
      const byToken = async (): Promise<Identity | null> =>
        tokens.knows(token) ? tokens.redeem(token, await refusing('enrol', fingerprintOf(csr))) : null;
      const identity = pods !== null && isServiceAccountToken(token) ? await identityOfPod(pods, token) : await byToken();
      if (identity === null)
        return refuse('enrol', status.PERMISSION_DENIED, 'the join token is unknown, spent or expired: ask for another');
      log.info({ instance: identity.instance, principal: identity.principal }, 'enrolled');
      return answer('enrol', authority.issueSvid(csr, identity, svidLifetimeMs));
    }, onError),
    renew: unary<{ csr: string }, CertificateAnswer>(async ({ csr }, peer) => {
      const identity = known('renew', peer);
      // Else a key that was taken from a pod would outlive it for ever.
      if (identity.proof === 'pod')
        return refuse('renew', status.PERMISSION_DENIED, 'a pod gets its next certificate by its service-account token: enrol again');
      return answer('renew', authority.issueSvid(csr, identity, svidLifetimeMs));
    }, onError),
    serving: unary<{ csr: string; name: string }, CertificateAnswer>(async ({ csr, name }, peer) => {
      const entry = config.certificates?.[name];
      const { principal } = known('serving', peer);
      if (!entry || !entry.principals.includes(principal))
        return refuse('serving', status.PERMISSION_DENIED, `${principal} may not have the certificate \`${name}\``);
      return answer('serving', authority.issueServing(csr, entry.hosts, config.servingLifetimeMs ?? 24 * hour));
    }, onError),
  });
  const own = await ownCertificate(authority, svidLifetimeMs, log);
  const port = await bind(server, config.listen.host, config.listen.port, own.credentials.credentials);
  const admin = await adminToken(config.adminTokenFile)
    .then((token) => serveAdmin(config.admin, token, adminRoutes(), log))
    .catch(async (error: unknown) => {
      own.stop();
      await stopServer(server, 0);
      throw error;
    });
  const guard = kept === null ? null : guardRoot(kept, log);
  const overtaken = (): string | null => guard?.overtaken() ?? null;
  const publisher = kube === null ? null : publishTrust(kube, authority.trust, () => overtaken() === null, log);
  log.info({ address: hostPort(config.listen.host, port), admin: admin.url }, 'the certificate authority is up');

  function health(): AdminAnswer {
    const reason = overtaken();
    return { status: reason === null ? 200 : 503, text: `${reason ?? 'ok'}\n`, contentType: 'text/plain' };
  }
  function adminRoutes(): readonly AdminRoute[] {
    return [
      // Who has another root than the mesh by now is one of it again when it starts anew.
      ...['/healthz', '/readyz'].map((path): AdminRoute => ({ method: 'GET', path, open: true, answer: health })),
      {
        method: 'GET',
        path: '/metrics',
        open: true,
        answer: () => ({ stream: (response) => metricsHandler(metrics)(response.req, response) }),
      },
      {
        method: 'GET',
        path: '/v1/trust',
        open: true,
        answer: () => ({ status: 200, text: authority.trust, contentType: 'application/x-pem-file' }),
      },
      {
        method: 'POST',
        path: '/v1/join-tokens',
        answer: async ({ body }) => {
          const identity = identityFrom(body);
          const ttlMs = optionalNumberOf(fieldsOf(body, 'the body'), 'ttlMs', 1, hour) ?? config.tokenLifetimeMs ?? 5 * 60_000;
          const domain = `spiffe://${config.trustDomain}/`;
          if (kube !== null && identity.principal.startsWith(`${domain}ns/${meshNamespace}/`))
            throw new DecodeError(`on Kubernetes nobody joins as \`${meshNamespace}\` by a join token: its pods have their own`);
          if (!identity.principal.startsWith(domain)) throw new DecodeError(`\`principal\` must begin with \`${domain}\``);
          const { token, expires } = await tokens.mint(identity, ttlMs);
          return { status: 201, json: { token, expires } };
        },
      },
    ];
  }
  return {
    address: hostPort(config.listen.host, port),
    adminUrl: admin.url,
    trustFile,
    async close() {
      own.stop();
      guard?.close();
      publisher?.close();
      await admin.close();
      await stopServer(server);
      await giveBack();
    },
  };
}

const openKube = ({ kubeconfig }: CaOnKubernetes): Promise<Kube> => (kubeconfig === undefined ? kubeInCluster() : kubeFromFile(kubeconfig));

/** The certificate of the CA's own server, renewed at half its life. */
async function ownCertificate(
  authority: Authority,
  lifetimeMs: number,
  log: Log,
): Promise<{ readonly credentials: ReturnType<typeof serverCredentials>; stop(): void }> {
  const make = async (): Promise<{ key: string; chain: string; trust: string }> => {
    const { key, csr } = await newKeyAndCsr();
    const { chain } = await authority.issueSvid(csr, caIdentity(authority.trustDomain), Math.max(lifetimeMs, 60_000));
    return { key, chain, trust: authority.trust };
  };
  const credentials = serverCredentials(await make(), 'optional');
  const timer = setInterval(
    () => {
      make().then(credentials.rotate, (error: unknown) => log.error({ err: error }, 'cannot renew the own certificate'));
    },
    Math.max(lifetimeMs, 60_000) / 2,
  );
  timer.unref();
  return { credentials, stop: () => clearInterval(timer) };
}

/** The principal a control plane must be given a join token for. */
export const controlPlaneIdentity = (
  trustDomain: string,
): { readonly instance: string; readonly workload: string; readonly principal: string } => ({
  instance: 'control-plane',
  workload: 'meshwright/control-plane',
  principal: controlPlanePrincipal(trustDomain),
});
