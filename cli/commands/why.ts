import { admissionRulesName } from '../../core/bundle/admission-rules';
import { meshNamespace } from '../../core/bundle/custom-resource';
import { objectName } from '../../core/bundle/objects';
import type { DeployRule, MeshIr } from '../../core/ir/ir';
import { doorOf } from '../../core/ir/lookup';
import { nameOf, namespaceOf, outsideNamespace, serviceOfPort, type PortKey } from '../../core/mesh/ids';
import { proxyNames } from '../../core/ir/proxy-name';
import { callablePorts } from '../../core/ir/edges';
import { namesOf } from '../../core/semantics/networks';
import { UsageError, type Run } from '../command';
import { formatText, toJson } from '../findings';
import { suggest } from '../../core/lib/suggest';
import { excerpt, placeOf } from '../places';
import { compileSources, sourcesOf } from '../policies';

/** `meshwright why`: from a name met in a log, an object or a proxy back to the lines of policy. */
export const run: Run = async (context, values) => {
  const { out } = context;
  const name = values.text('name') ?? '';
  const sources = await sourcesOf(context, values.text('dir'));
  const compiled = await compileSources(context, values, sources, { stopAfter: 'lower' });
  if (!compiled.evaluated) {
    out.document({ ok: false, diagnostics: toJson(compiled.diagnostics, sources.show) });
    out.line(formatText(compiled.diagnostics, { show: sources.show, style: out.style }));
    return 1;
  }
  const found = new Map<string, Reason>();
  if (placeOf(compiled.sources, name)) found.set(name, { id: name, because: 'it is this' });
  for (const ir of compiled.irs.values()) for (const reason of reasonsOf(ir, name)) if (!found.has(reason.id)) found.set(reason.id, reason);
  const reasons = [...found.values()].map((reason) => ({ ...reason, place: placeOf(compiled.sources, reason.id) }));
  if (reasons.length === 0) {
    const near = suggest(name, Object.keys(compiled.sources));
    throw new UsageError(`nothing in these policies is called \`${name}\`${near === undefined ? '' : `; did you mean \`${near}\`?`}`);
  }
  out.document({
    ok: true,
    name,
    reasons: reasons.map(({ id, because, place }) => ({
      id,
      because,
      place: place
        ? { ...place, file: sources.show(place.file), chain: place.chain.map((one) => ({ ...one, file: sources.show(one.file) })) }
        : null,
    })),
  });
  for (const { id, because, place } of reasons) {
    if (!place) {
      out.line(`${out.style.bold(id)}   ${because}; no line of policy says it`);
      continue;
    }
    out.line(`${sources.show(place.file)}:${place.line}:${place.column}   ${out.style.bold(id)}   ${out.style.dim(because)}`);
    const text = sources.read(place.file);
    if (text !== undefined) out.line(excerpt(text, place.line, place.column, reasons.length > 1 ? 0 : 1).replace(/^/gm, '    '));
    for (const step of place.chain) out.line(`    through ${sources.show(step.file)}:${step.line}:${step.column}`);
  }
  return 0;
};

const admissionRules = objectName({ kind: 'AdmissionRules', metadata: { namespace: meshNamespace, name: admissionRulesName } });
const subjectOf = ({ namespace, workloads }: DeployRule): string =>
  (workloads?.map((name) => `${namespace}/${name}`) ?? [namespace]).map((subject) => `\`${subject}\``).join(', ');

interface Reason {
  readonly id: string;
  readonly because: string;
}

/** The names that objects, proxies and logs use, each with the rules that made it. */
export function reasonsOf(ir: MeshIr, name: string): readonly Reason[] {
  const reasons: Reason[] = [];
  const add = (id: string | null, because: string): void => void (id !== null && reasons.push({ id, because }));
  const port = (key: string, as: 'callers' | 'service'): void => {
    const service = ir.services.find((one) => one.ports.some((known) => known.key === key));
    if (!service) return;
    add(service.id, 'the service is declared here');
    add([...ir.routes, ...ir.connectionRoutes].find((table) => table.port === key)?.id ?? null, 'its routes');
    if (as === 'service')
      for (const rule of ir.access) if (rule.port === key) add(rule.id, rule.action === 'allow' ? 'lets callers in' : 'keeps callers out');
  };
  const denied = /^(.+)\/default-deny$/.exec(name)?.[1];
  if (denied !== undefined) {
    const allows = ir.access.filter((rule) => rule.port === denied && rule.action === 'allow');
    const service = ir.services.find((one) => one.ports.some((known) => known.key === denied));
    if (service)
      add(
        service.id,
        allows.length === 0
          ? 'what no rule allows is denied, and no rule allows anything here'
          : 'what no rule allows is denied; the allows there are follow',
      );
    for (const rule of allows) add(rule.id, 'lets in what it names');
  }
  const object = /^(ServiceConfig|ProxyConfig)\/(.+)$/.exec(name);
  const [, kind, rest = ''] = object ?? [];
  // what is outside has an object with each caller, in its namespace
  if (kind === 'ServiceConfig') port(rest.replace(/\+.*$/, '').replace(/^[^/]+\/outside\./, `${outsideNamespace}/`), 'callers');
  if (kind === 'ProxyConfig') for (const [key, proxy] of proxyNames(ir)) if (proxy === rest) workload(ir, key, add);
  if (name === admissionRules) {
    for (const rule of ir.deploys) add(rule.id, `says who deploys ${subjectOf(rule)}`);
    for (const rule of ir.products) add(rule.id, 'says which versions go together');
    for (const namespace of ir.namespaces) add(namespace.id, `the namespace \`${namespace.name}\` is policy's`);
  }
  port(name.replace(/^inbound\//, '').replace(/\|.*$/, ''), name.startsWith('inbound/') ? 'service' : 'callers');
  port(name.replace(/^across\//, '').replace(/\|.*$/, ''), 'callers');
  for (const { id, port: key, gateways } of ir.networks?.exports ?? []) {
    const asked = namesOf(ir.services, key).some(({ serverName }) => serverName === name.toLowerCase());
    const through = name === 'gateway/east-west' || asked || gateways.some((gateway) => gateway === name);
    if (through || name === `ServiceConfig/${key}+across` || name.replace(/\|.*$/, '') === `across/${key}`) add(id, `exports ${key}`);
  }
  for (const { id, outside } of ir.services)
    if (outside && name === `inbound/${String(outside.through)}.egress`) add(id, 'is called through it');
  const gatewayHost = /^gateway\/([^/|]+)(?:\/([^|]+))?(?:\|.+)?$/.exec(name);
  if (gatewayHost) {
    const [, listener, host] = gatewayHost;
    for (const table of ir.hostRoutes)
      if (table.listener === listener && (host === undefined || table.host === host)) add(table.id, `routes \`${table.host}\``);
    for (const gateway of ir.gateways)
      if (gateway.listeners.some((one) => one.name === listener)) add(gateway.id, 'the gateway is declared here');
  }
  for (const one of ir.workloads) if (one.key === name || one.principal === name || one.id === name) workload(ir, one.key, add);
  if (name.endsWith('.default')) port(name.slice(0, -'.default'.length), 'callers');
  return reasons;
}

function workload(ir: MeshIr, key: string, add: (id: string | null, because: string) => void): void {
  const one = ir.workloads.find((known) => known.key === key);
  if (!one) return;
  add(one.id, 'the workload is declared here');
  for (const { id, outside } of ir.services) if (outside?.through === one.key) add(id, 'is called through it');
  for (const rule of ir.access)
    if (doorOf(ir, rule.port) === one.key) add(rule.id, rule.action === 'allow' ? 'lets callers in' : 'keeps callers out');
  for (const rule of ir.deploys)
    if (rule.namespace === namespaceOf(one.key) && (rule.workloads?.includes(nameOf(one.key)) ?? true)) add(rule.id, 'says who deploys it');
  const callable: readonly PortKey[] = callablePorts(ir, one.key);
  for (const rule of ir.access) {
    if (rule.action !== 'allow' || !callable.includes(rule.port) || rule.callers.kind !== 'principals') continue;
    if (rule.callers.principals.some((caller) => caller.principal === one.principal))
      add(rule.id, `lets it call ${nameOf(serviceOfPort(rule.port))} in ${namespaceOf(serviceOfPort(rule.port))}`);
  }
}
