/** Asks Envoy itself whether it takes what was emitted, before any live proxy sees it: `envoy --mode validate` on a static bootstrap. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { MeshObject, ProxyConfig, ServiceConfig } from '../../core/bundle/objects';
import { objectName, type ObjectName } from '../../core/bundle/objects';
import { type Diagnostic, hasErrors, type Outcome } from '../../core/diagnostics/diagnostic';
import { emit } from '../../core/diagnostics/emit';
import type { Json } from '../../core/lib/json';
import { temporaryFolder } from '../../platform/files';
import { runCommand } from '../../platform/process';
import { isList, isRecord, symbolHost } from '../bind/addresses';
import { bindInbound, bindOutbound, type BoundProxy, joinParts } from '../bind/bind';
import type { Address, Instance } from '../inventory';
import { callsRanges } from '../bind/ranges';
import { staticBootstrap } from './static-bootstrap';

export interface ValidateRequest {
  /** All objects of the set that is to be in force. */
  readonly objects: readonly MeshObject[];
  /** Names of those that are new in it; all are validated if not given. */
  readonly changed?: ReadonlySet<ObjectName>;
  readonly envoyPath: string;
  /** For one run of Envoy, in milliseconds (30 s). */
  readonly timeoutMs?: number;
}
export interface Validated {
  /** Names of the ProxyConfigs that Envoy took, each with the services it names. Sorted. */
  readonly proxies: readonly string[];
  /** Runs of Envoy. */
  readonly runs: number;
}

/** Proxies in one bootstrap: one run takes about 0.2 s and then little more for each. */
const batchSize = 50;
/** More of the same teaches nobody. */
const mostRefusals = 10;

/**
 * Validates every shape that changed: each changed ProxyConfig, and for each changed ServiceConfig one proxy that names it. Addresses are dummies,
 * secrets and endpoints stay where they come from. A refusal (MW5020) carries Envoy's own words. Rejects only when Envoy cannot be started.
 */
export async function validateProxies(request: ValidateRequest): Promise<Outcome<Validated>> {
  const diagnostics: Diagnostic[] = [];
  const services = new Map(
    request.objects.flatMap((object): [string, ServiceConfig][] =>
      object.kind === 'ServiceConfig' ? [[`${object.metadata.namespace}/${object.metadata.name}`, object]] : [],
    ),
  );
  const shapes: Shape[] = [];
  const ports = portNumbers();
  for (const [proxy, blamed] of representatives(request)) {
    const called = proxy.spec.outbound.services.flatMap((name) => services.get(name) ?? []);
    const missing = proxy.spec.outbound.services.find((name) => !services.has(name));
    if (missing === undefined) shapes.push({ name: objectName(proxy), blamed, bound: boundForNobody(proxy, called, ports, diagnostics) });
    else diagnostics.push(emit.incompleteSet({ object: objectName(proxy), missing }));
  }
  if (hasErrors(diagnostics)) return { diagnostics };
  const folder = await temporaryFolder('validate');
  let runs = 0;
  const ask = async (batch: readonly Shape[]): Promise<string | null> => askEnvoy(request, folder, (runs += 1), batch);
  try {
    for (let start = 0; start < shapes.length && diagnostics.length < mostRefusals; start += batchSize) {
      const batch = shapes.slice(start, start + batchSize);
      const words = await ask(batch);
      if (words === null) continue;
      const [only] = batch;
      if (only && batch.length === 1) diagnostics.push(refusal(request, only, words));
      else await findRefused(batch, ask, (shape, own) => diagnostics.push(refusal(request, shape, own)));
      if (diagnostics.length === 0 && only) diagnostics.push(refusal(request, only, words)); // refused together and not apart
    }
  } finally {
    await fs.rm(folder, { recursive: true, force: true });
  }
  return hasErrors(diagnostics) ? { diagnostics } : { value: { proxies: shapes.map((shape) => shape.name), runs }, diagnostics };
}

interface Shape {
  readonly name: ObjectName;
  /** What a refusal is told by: the proxy, or the changed service that it stands for. */
  readonly blamed: ObjectName;
  readonly bound: BoundProxy;
}
const tooSlow = '';
const refusal = (request: ValidateRequest, shape: Shape, words: string): Diagnostic =>
  words === tooSlow
    ? emit.envoyTooSlow({ object: shape.blamed, seconds: (request.timeoutMs ?? 30_000) / 1000 })
    : emit.envoyRefuses({ object: shape.blamed, words });

/** Which of a refused batch are refused, by halving. */
async function findRefused(
  batch: readonly Shape[],
  ask: (batch: readonly Shape[]) => Promise<string | null>,
  found: (shape: Shape, words: string) => number,
): Promise<number> {
  const half = Math.ceil(batch.length / 2);
  let count = 0;
  for (const part of [batch.slice(0, half), batch.slice(half)]) {
    const [only] = part;
    if (!only || count >= mostRefusals) continue;
    const words = await ask(part);
    if (words === null) continue;
    count = part.length === 1 ? found(only, words) : await findRefused(part, ask, found);
  }
  return count;
}

/** The proxies to ask about, each with the changed object that is to blame when it alone is refused. */
function representatives({ objects, changed }: ValidateRequest): ReadonlyMap<ProxyConfig, ObjectName> {
  const all = objects.filter((object) => object.kind === 'ProxyConfig').sort((a, b) => (objectName(a) < objectName(b) ? -1 : 1));
  const chosen = new Map(all.filter((proxy) => !changed || changed.has(objectName(proxy))).map((proxy) => [proxy, objectName(proxy)]));
  const covered = new Set([...chosen.keys()].flatMap((proxy) => proxy.spec.outbound.services));
  for (const proxy of all) {
    for (const name of proxy.spec.outbound.services) {
      const service = `ServiceConfig/${name}` as ObjectName; // objectName of that service
      if (covered.has(name) || !changed?.has(service)) continue;
      covered.add(name);
      if (!chosen.has(proxy)) chosen.set(proxy, service);
    }
  }
  return chosen;
}

/** Binds every symbol to an address that nobody listens on; validation does not bind. */
function boundForNobody(
  proxy: ProxyConfig,
  services: readonly ServiceConfig[],
  next: () => Address,
  diagnostics: Diagnostic[],
): BoundProxy {
  const named: { [kind: string]: { [name: string]: Address } } = { app: {}, inbound: {}, listener: {}, outbound: {} };
  for (const symbol of symbolsIn([
    ...proxy.spec.inbound.listeners,
    ...proxy.spec.inbound.clusters,
    ...proxy.spec.outbound.listeners,
    ...services.flatMap((service) => service.spec.listeners ?? []),
  ])) {
    const slash = symbol.indexOf('/');
    const record = named[symbol.slice(0, slash)];
    if (slash > 0 && record) record[symbol.slice(slash + 1)] = next();
  }
  const { app = {}, inbound = {}, listener = {}, outbound: outboundPorts = {} } = named;
  const nobody: Instance = {
    ...{ id: 'validation', workload: proxy.spec.workload, app, inbound, outboundPorts },
    outbound: next(),
    listeners: listener,
    // ranges are served where connections are captured, and nowhere else
    ...(services.some(callsRanges) ? { capture: { inbound: next(), outbound: next() } } : {}),
  };
  return joinParts(bindInbound(proxy, nobody, diagnostics), bindOutbound(proxy, services, nobody, diagnostics));
}
function symbolsIn(value: Json): readonly string[] {
  if (isList(value)) return value.flatMap(symbolsIn);
  if (!isRecord(value)) return [];
  if (value['address'] === symbolHost && typeof value['namedPort'] === 'string') return [value['namedPort']];
  return Object.values(value).flatMap(symbolsIn);
}
function portNumbers(): () => Address {
  let last = 0;
  return () => {
    last += 1;
    return { host: `127.${(last >> 16) & 255}.${(last >> 8) & 255}.${(last & 255) === 0 ? 1 : last & 255}`, port: 1024 + (last % 60_000) };
  };
}

/** null: Envoy takes it. Else its own words in one line; empty when it did not say in time. */
async function askEnvoy(request: ValidateRequest, folder: string, run: number, batch: readonly Shape[]): Promise<string | null> {
  const file = path.join(folder, `${run}.json`);
  const bootstrap = staticBootstrap({ proxies: batch.map((shape) => shape.bound), adminPort: null, secrets: null, assignments: null });
  await fs.writeFile(file, JSON.stringify(bootstrap), { mode: 0o600 });
  const result = await runCommand(request.envoyPath, ['--mode', 'validate', '-c', file, '-l', 'error'], {
    timeoutMs: request.timeoutMs ?? 30_000,
    maxOutput: 256 * 1024,
  });
  await fs.rm(file, { force: true });
  if (result.timedOut) return tooSlow;
  return result.code === 0 ? null : ownWords(`${result.stderr}\n${result.stdout}`, file);
}

/** The line that says why, without time stamps, our file's name and protobuf's dump of the whole message. */
function ownWords(said: string, file: string): string {
  const line =
    said.split('\n').findLast((text) => /error|invalid|unable|fail|not |unknown/i.test(text) && !text.startsWith('\tat')) ??
    said.trim().split('\n').at(-1) ??
    '';
  const words = line
    .replace(/^\[[^\]]*\](\[[^\]]*\])* /, '')
    .replace(/\[source\/[^\]]*\] /, '')
    .replaceAll(file, 'the bootstrap')
    .replace(/^error initializing (network )?configuration '[^']*': /, '')
    .replace(/\s+/g, ' ')
    .replace(/^[: ]+/, '')
    .trim();
  return words.length > 400 ? `${words.slice(0, 400)}…` : words || 'it gave no reason';
}
