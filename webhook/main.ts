/** The admission webhook as a server. */
import * as fs from 'node:fs/promises';
import { meshNamespace } from '../core/bundle/custom-resource';
import { systemClock, type Clock } from '../platform/clock';
import { kubeFromFile, kubeInCluster, type Kube } from '../platform/kube';
import { createLog, type Log } from '../platform/log';
import type { AdmitContext } from './admit/context';
import { tokenVerifier } from './admit/deployer-token';
import { signatureCache } from './admit/signatures';
import { assertConsistent, defaults, type TokenIssuer, type WebhookConfig } from './config';
import { serveAdmin, type Check } from './server/admin';
import { createApp } from './server/app';
import { bodyBudget } from './server/body';
import { managedCertificates } from './certificates/managed';
import { certificateFromFiles, expiryOf, type CertificateSource } from './server/certificate';
import { injectEndpoint, validateEndpoint } from './server/endpoints';
import { listen } from './server/listener';
import { webhookMetrics } from './server/metrics';
import { followFailModes } from './state/fail-modes';
import { keysFromFile, keysFromUrl, type IssuerKeys } from './state/issuer-keys';
import { followState } from './state/state';
import { followTrust } from './state/trust-file';

export type { WebhookConfig } from './config';
export interface RunningWebhook {
  /** `https://127.0.0.1:9443` */
  readonly url: string;
  readonly adminUrl: string;
  /** Not ready at once, answers for a while longer, finishes what is under way. */
  close(): Promise<void>;
}
export interface WebhookOptions {
  readonly log?: Log;
  readonly clock?: Clock;
  /** Default: by the configuration. */
  readonly kube?: Kube;
  /** Default: the files of the configuration. Closed along with the server. */
  readonly certificate?: CertificateSource;
  /** Further things that readiness depends on. */
  readonly checks?: () => readonly Check[];
  /** How often files are looked at. */
  readonly lookEveryMs?: number;
}

/** Starts the webhook. Rejects with one line when it cannot: without a trust root there is no webhook. */
export async function serveWebhook(config: WebhookConfig, options: WebhookOptions = {}): Promise<RunningWebhook> {
  const log = options.log ?? createLog('webhook');
  const clock = options.clock ?? systemClock;
  const closers: (() => void | Promise<void>)[] = [];
  const limits = { ...defaults, ...config.limits };
  try {
    assertConsistent(config);
    const kept = <T extends { close(): void | Promise<void> }>(part: T): T => {
      closers.push(() => part.close());
      return part;
    };
    const trust = kept(await followTrust(config.trustFile, config.environment, log, options.lookEveryMs));
    const kube = options.kube ?? (await (config.kubeconfig === undefined ? kubeInCluster() : kubeFromFile(config.kubeconfig)));
    const certificate = kept(options.certificate ?? (await certificateOf(config, kube, clock, log, options.lookEveryMs)));
    const clientCa = config.clientCaFile === undefined ? null : await fs.readFile(config.clientCaFile, 'utf8');
    const issuers: { readonly issuer: string; readonly keys: IssuerKeys }[] = [];
    for (const issuer of config.issuers ?? []) issuers.push({ issuer: issuer.issuer, keys: kept(await issuerKeys(issuer, log)) });
    const signatures = signatureCache();
    const trusted = (): AdmitContext['trust'] => ({ root: trust.current(), version: trust.version() });
    const state = kept(followState({ kube, environment: config.environment, trust: trusted, signatures, log }));
    const failModes = kept(
      followFailModes(kube, config.configurationName ?? defaults.configurationName, log, (options.lookEveryMs ?? 1_000) * 10),
    );
    let trustVersion = trust.version();
    const trustTimer = setInterval(() => {
      if (trust.version() !== trustVersion) state.refresh();
      trustVersion = trust.version();
    }, options.lookEveryMs ?? 1_000);
    trustTimer.unref();
    closers.push(() => clearInterval(trustTimer));

    const metrics = webhookMetrics(() => {
      const { synced, stale, rules } = state.snapshot();
      return {
        certificateExpiry: expiryOf(certificate.current()),
        rulesGeneration: state.rulesGeneration(),
        rulesKnown: rules.kind !== 'unknown',
        synced,
        stale,
        trustIsGood: trust.problem() === null,
        failsClosed: failModes.current(),
      };
    });
    const tokens = tokenVerifier(issuers.map(({ issuer, keys }) => ({ issuer, keys: () => keys.current() })));
    const fixed = {
      environment: config.environment,
      signatures,
      releaseDeployers: config.deployers,
      tokens,
      jobUsernamePrefix: config.jobUsernamePrefix ?? null,
      controlPlaneUser: config.controlPlaneUser ?? defaults.controlPlaneUser,
      namespaceControllers: config.namespaceControllers ?? defaults.namespaceControllers,
      injection: config.injection ?? null,
      meshImages: new Set(config.meshImages ?? []),
    };
    const context = (): AdmitContext => ({ ...fixed, trust: trusted(), state: state.snapshot(), now: clock.now() });
    const parts = { context, metrics, log };

    let listening = false;
    let closing = false;
    const app = createApp({
      endpoints: [validateEndpoint(parts), ...(config.injection === undefined ? [] : [injectEndpoint(parts)])],
      bodyBytes: limits.bodyBytes,
      budget: bodyBudget(limits.heldBytes),
      deadlineMs: limits.deadlineMs,
      clientNames: config.clientNames ?? null,
      metrics,
      clock,
      log,
      closing: () => closing,
    });
    const checks = (): readonly Check[] => {
      const { synced, stale, rules } = state.snapshot();
      const told = (name: string, problem: string | null): Check => ({
        name,
        good: problem === null,
        needed: false,
        detail: problem ?? 'good',
      });
      return [
        {
          name: 'serving',
          good: listening && !closing,
          needed: true,
          detail: closing ? 'it is closing' : listening ? 'yes' : 'it does not listen yet',
        },
        { name: 'state', good: synced, needed: true, detail: synced ? 'listed' : 'not listed yet' },
        told('watch', stale ? 'the API server cannot be followed; what was seen last is in force' : null),
        told('rules', rules.kind === 'unknown' ? rules.reason : null),
        told('trust root', trust.problem()),
        { ...told('certificate', certificate.problem()), needed: certificate.decidesReadiness ?? false },
        ...(certificate.aside ? [told('certificate in its Secret', certificate.aside())] : []),
        ...issuers.map(({ issuer, keys }) => told(`keys of ${issuer}`, keys.problem())),
        ...(options.checks?.() ?? []),
      ];
    };
    const admin = kept(await serveAdmin(config.admin, metrics.metrics, checks));
    const server = await listen(app, {
      ...config.listen,
      certificate,
      clientCa,
      connections: limits.connections,
      requestMs: limits.requestMs,
      clock,
    });
    listening = true;
    certificate.listensAt?.(loopbackOf(server.url));
    return {
      url: server.url,
      adminUrl: admin.url,
      async close() {
        closing = true;
        await clock.sleep(config.drainMs ?? defaults.drainMs);
        await server.close();
        await closeAll(closers);
      },
    };
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

async function closeAll(closers: readonly (() => void | Promise<void>)[]): Promise<void> {
  for (const close of closers.toReversed()) await close();
}

async function certificateOf(
  config: WebhookConfig,
  kube: Kube,
  clock: Clock,
  log: Log,
  everyMs: number | undefined,
): Promise<CertificateSource> {
  const { certificate, managedCertificate, configurationName = defaults.configurationName } = config;
  if (certificate !== undefined) return certificateFromFiles(certificate, log, everyMs);
  if (managedCertificate === undefined)
    throw new Error('there is nothing to serve with: name PEM files in `certificate`, or a Secret in `managedCertificate`');
  return managedCertificates({
    kube,
    namespace: meshNamespace,
    secret: managedCertificate.secret,
    dnsNames: managedCertificate.dnsNames ?? defaults.dnsNames,
    validating: [configurationName],
    mutating: [configurationName],
    clock,
    log,
    ...(everyMs === undefined ? {} : { everyMs }),
  });
}

/** Where this machine reaches its own listener. */
function loopbackOf(url: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  return { host: host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host, port: Number(port) };
}

async function issuerKeys({ jwksFile, jwksUrl, caFile }: TokenIssuer, log: Log): Promise<IssuerKeys> {
  if (jwksFile !== undefined) return keysFromFile(jwksFile, log);
  return keysFromUrl(jwksUrl ?? '', caFile ?? null, log);
}
