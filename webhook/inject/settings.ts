/** What the installation decides about sidecars, and what one pod may ask for by annotation: a short list, for nobody may choose the image or the identity. */
import { isIP } from 'node:net';
import { inject } from '../../core/diagnostics/inject';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { suggest } from '../../core/lib/suggest';
import { agentHealthPort, podAnnotations, podDefaults } from '../../core/mesh/pod';
import { textOf, type Fields } from './pod';

export interface Place {
  /** An IP address or a DNS name. */
  readonly host: string;
  readonly port: number;
}
/** `100m`, `2`; `128Mi`, `1Gi`: in the one spelling that the API server keeps. */
export interface SidecarResources {
  readonly cpu: { readonly request: string; readonly limit?: string };
  readonly memory: { readonly request: string; readonly limit: string };
}
/** The installation's part of the template. */
export interface InjectionSettings {
  /** Carries agent and Envoy; by digest in production. */
  readonly image: string;
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  readonly trustDomain: string;
  readonly controlPlane: Place;
  readonly ca: Place;
  readonly resources?: SidecarResources;
  /** Lifetime of the service-account token, 600 to 3600; default 3600. */
  readonly tokenSeconds?: number;
  /** Default 15021: no application's, so that none of them can look into the agent's processes, or passes for the proxy where connections are captured. */
  readonly user?: number;
  readonly envoyLogLevel?: string;
}
/** What is in force for one pod. */
export interface PodSettings {
  readonly resources: SidecarResources;
  readonly concurrency: string;
  readonly envoyLogLevel: string;
  readonly drainMs: string;
  /** How its Envoy asks for its configuration; null: as agents do by themselves. */
  readonly xds: string | null;
  /** Where the outbound listener is; null for a gateway that names none. */
  readonly outbound: Place | null;
  /** Whether the kernel sends the pod's connections to its proxy. */
  readonly capture: boolean;
  /** Secrets of its namespace with certificates and authorities. Sorted. */
  readonly certificates: readonly string[];
}
/** Something wrong, at a place of the pod. */
export interface Fault {
  /** `spec.containers[0].ports[0]` */
  readonly field: string;
  readonly diagnostic: Diagnostic;
}

/** Whom the sidecar runs as. */
export const userOf = (settings: InjectionSettings): number => settings.user ?? 15_021;

export const defaultResources: SidecarResources = {
  cpu: { request: '50m' },
  memory: { request: '160Mi', limit: '384Mi' },
};
const prefix = 'meshwright.dev/';
/** The annotations by which a pod changes its own sidecar. */
export const overrides = {
  cpu: 'meshwright.dev/sidecar-cpu',
  memory: 'meshwright.dev/sidecar-memory',
  concurrency: 'meshwright.dev/sidecar-concurrency',
  logLevel: 'meshwright.dev/sidecar-log-level',
  drain: 'meshwright.dev/sidecar-drain',
  xds: 'meshwright.dev/sidecar-xds',
} as const;
const known: readonly string[] = [
  podAnnotations.appHost,
  podAnnotations.outbound,
  podAnnotations.capture,
  podAnnotations.certificates,
  podAnnotations.eastWest,
  podAnnotations.injected,
  ...Object.values(overrides),
];

/** What a pod asks for by its annotations, over what the installation says; or the first annotation that cannot be followed. */
export function podSettings(annotations: Fields, settings: InjectionSettings): PodSettings | Fault {
  const faulty = faultIn(annotations);
  if (faulty !== null) return faulty;
  const { cpu, memory } = settings.resources ?? defaultResources;
  const given = (name: string): string | undefined => (Object.hasOwn(annotations, name) ? textOf(annotations[name]) : undefined);
  const askedCpu = given(overrides.cpu);
  const askedMemory = given(overrides.memory);
  const outbound = given(podAnnotations.outbound);
  const isGateway = Object.keys(annotations).some((name) => name.startsWith(podAnnotations.listenerPrefix));
  if (isGateway && given(podAnnotations.capture) === 'true')
    return {
      field: `metadata.annotations['${podAnnotations.capture}']`,
      diagnostic: inject.badAnnotation({
        reason: 'nothing stands behind a gateway whose connections could be captured',
        repair: 'take the annotation away',
      }),
    };
  return {
    resources: {
      cpu: askedCpu === undefined ? cpu : { request: canonicalCpu(askedCpu) },
      memory: askedMemory === undefined ? memory : { request: canonicalMemory(askedMemory), limit: canonicalMemory(askedMemory) },
    },
    concurrency: given(overrides.concurrency) ?? '1',
    envoyLogLevel: given(overrides.logLevel) ?? settings.envoyLogLevel ?? 'warning',
    drainMs: String(Number((given(overrides.drain) ?? '5s').slice(0, -1)) * 1_000),
    xds: given(overrides.xds) ?? null,
    outbound: outbound === undefined && isGateway ? null : placeIn(outbound ?? podDefaults.outbound),
    capture: given(podAnnotations.capture) === 'true',
    certificates: [...new Set((given(podAnnotations.certificates) ?? '').split(',').map((one) => one.trim()))]
      .filter((one) => one !== '')
      .sort(),
  };
}

export const isFault = (value: object): value is Fault => 'diagnostic' in value;

function faultIn(annotations: Fields): Fault | null {
  for (const [name, value] of Object.entries(annotations)) {
    if (!name.startsWith(prefix)) continue;
    const wrong = wrongWith(name, textOf(value));
    if (wrong !== null) return { field: `metadata.annotations['${name.slice(0, 120)}']`, diagnostic: inject.badAnnotation(wrong) };
  }
  return null;
}

function wrongWith(name: string, value: string): { readonly reason: string; readonly repair: string } | null {
  const shown = value.slice(0, 80);
  const must = (holds: boolean, form: string, example: string): { reason: string; repair: string } | null =>
    holds ? null : { reason: `\`${shown}\` is not ${form}`, repair: `write it like \`${example}\`` };
  if (name.startsWith(podAnnotations.listenerPrefix)) {
    const place = placeIn(value);
    if (place?.port === agentHealthPort)
      return { reason: `port ${agentHealthPort} is where the agent answers probes`, repair: 'give the listener another port' };
    return must(place !== null, '`<IP address>:<port>`', '0.0.0.0:8443');
  }
  if (name.startsWith(podAnnotations.outboundPrefix)) {
    const place = placeIn(value);
    if (!/^[a-z0-9-]+\.[a-z0-9-]+\.[a-z0-9-]+$/.test(name.slice(podAnnotations.outboundPrefix.length)))
      return { reason: `\`${name.slice(0, 80)}\` names no port`, repair: `write it like \`${podAnnotations.outboundPrefix}shop.db.pg\`` };
    return must(
      place !== null && isLoopback(place.host) && place.port !== agentHealthPort,
      '`<loopback address>:<port>`',
      '127.0.0.1:5432',
    );
  }
  switch (name) {
    case podAnnotations.appHost:
      return must(isLoopback(value), 'a loopback address', podDefaults.appHost);
    case podAnnotations.outbound: {
      const place = placeIn(value);
      if (place?.port === agentHealthPort)
        return { reason: `port ${agentHealthPort} is where the agent answers probes`, repair: 'give the outbound listener another port' };
      return must(place !== null && isLoopback(place.host), '`<loopback address>:<port>`', podDefaults.outbound);
    }
    case podAnnotations.capture:
      return must(value === 'true' || value === 'false', '`true` or `false`', 'true');
    case podAnnotations.eastWest:
      return must(placeIn(value) !== null, '`<IP address>:<port>`', '203.0.113.7:15443');
    case podAnnotations.certificates: {
      const names = value.split(',').map((one) => one.trim());
      const holds =
        names.length <= 16 &&
        names.every((one) => one.length <= 253 && /^[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?$/.test(one) && !one.includes('..'));
      return must(holds, 'a list of at most 16 names of Secrets', 'partner, edge-tls');
    }
    case podAnnotations.injected:
      return null; // said by the webhook; compared with the template
    case overrides.cpu:
      return must(/^[1-9]\d{1,3}m$|^[1-8]$/.test(value), 'an amount of CPU from 10m to 8', '200m');
    case overrides.memory:
      return must(memoryInMi(value) >= 64 && memoryInMi(value) <= 8 * 1024, 'an amount of memory from 64Mi to 8Gi', '256Mi');
    case overrides.concurrency:
      return must(/^[1-8]$/.test(value), 'a number of threads from 1 to 8', '2');
    case overrides.logLevel:
      return must(['error', 'warning', 'info', 'debug'].includes(value), 'a log level', 'info');
    case overrides.drain:
      return must(/^([1-9]|[1-5]\d|60)s$/.test(value), 'a time from 1s to 60s', '10s');
    case overrides.xds:
      return must(value === 'delta' || value === 'state-of-the-world', '`delta` or `state-of-the-world`', 'state-of-the-world');
    default: {
      const near = suggest(name, known);
      return {
        reason: `no annotation of this name is followed${near === undefined ? '' : `: did you mean \`${near}\`?`}`,
        repair: `take it away, or write one of ${known.map((one) => `\`${one}\``).join(', ')}`,
      };
    }
  }
}

const isLoopback = (host: string): boolean => (isIP(host) === 4 && host.startsWith('127.')) || host === '::1';

/** `127.0.0.1:15001`, `[::1]:15001` */
function placeIn(text: string): Place | null {
  const [, v6, v4, digits = ''] = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = v6 ?? v4 ?? '';
  const port = Number(digits);
  return isIP(host) !== 0 && port >= 1 && port <= 65_535 ? { host, port } : null;
}

/** The API server writes `1000m` as `1` and `1024Mi` as `1Gi`; what differs only in that would look altered. */
function canonicalCpu(text: string): string {
  if (!text.endsWith('m')) return text;
  const milli = Number(text.slice(0, -1));
  return milli % 1_000 === 0 ? String(milli / 1_000) : text;
}
function canonicalMemory(text: string): string {
  const mi = memoryInMi(text);
  return mi % 1_024 === 0 ? `${mi / 1_024}Gi` : `${mi}Mi`;
}
function memoryInMi(text: string): number {
  const [, digits, unit] = /^([1-9]\d{0,5})(Mi|Gi)$/.exec(text) ?? [];
  return digits === undefined ? 0 : Number(digits) * (unit === 'Gi' ? 1_024 : 1);
}
