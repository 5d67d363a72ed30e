/** Where the rules of a route list lead: versions, ports, shares of several, and copies. */
import { ir as messages } from '../../core/diagnostics/ir';
import type { OrPerEnv, Ref, WireDestination, WireMirror } from '../../core/declarations/declaration';
import type { Mirror, RouteMatch, Service, ServicePort, WeightedTarget } from '../../core/ir/ir';
import { isConnection } from '../../core/ir/layers';
import { plainTarget } from '../../core/ir/plain';
import { assertNever } from '../../core/lib/brand';
import { sortedBy, sortedUnique } from '../../core/lib/order';
import type { PortKey } from '../../core/mesh/ids';
import type { UrlDialect } from '../../core/semantics/canonical';
import { resolvePort } from './callers';
import { type Context, type Place, valueIn } from './context';
import { lowerEdits, lowerRewrite, lowerShare } from './http-words';
import type { Nouns } from './nouns';
import { within } from './settings';

/** What a list of routes is for: a service port, or a host at a gateway (which has neither versions nor a contract). */
export interface Subject {
  readonly key: string;
  readonly service: Service | null;
  readonly port: ServicePort | null;
  readonly urls: UrlDialect;
}

/** What its rules speak of. Connections have no headers: whoever lowers those has reported them. */
export const layerOf = ({ port }: Pick<Subject, 'port'>): 'http' | 'grpc' => (port?.layer === 'grpc' ? 'grpc' : 'http');

export function lowerTargets(
  context: Context,
  nouns: Nouns,
  to: Exclude<WireDestination, { kind: 'respond' | 'respondGrpc' | 'redirect' }>,
  match: RouteMatch | null,
  subject: Subject,
  at: Place,
): readonly WeightedTarget[] | undefined {
  switch (to.kind) {
    case 'version':
      return versionTargets(context, { [to.version]: 100 }, subject, at);
    case 'weights':
      return versionTargets(context, to.weights, subject, at);
    case 'target': {
      const port = httpPort(context, nouns, to.to, subject, at);
      return port && [{ ...plainTarget, port, version: to.to.version ?? null }];
    }
    case 'split':
      return splitTargets(context, to.shares, (ref) => httpPort(context, nouns, ref, subject, at), { match, layer: layerOf(subject) }, at);
    case 'unsupported':
      context.report(messages.unsupported, { feature: to.feature }, at);
      return undefined;
    default:
      return assertNever(to);
  }
}

export function splitTargets(
  context: Context,
  written: Extract<WireDestination, { kind: 'split' }>['shares'],
  portOf: (ref: Ref) => PortKey | undefined,
  { match, layer }: { readonly match: RouteMatch | null; readonly layer: 'http' | 'grpc' },
  at: Place,
): readonly WeightedTarget[] | undefined {
  const shares = written.map((share, index) => ({
    port: portOf(share.to),
    version: share.to.version ?? null,
    weight: context.pick(share.percent, at),
    rewrite: lowerRewrite(context, share.rewrite, match, within(at, `shares.${index}`)),
    requestHeaders: lowerEdits(context, share.requestHeaders, layer, within(at, `shares.${index}`)),
    responseHeaders: lowerEdits(context, share.responseHeaders, layer, within(at, `shares.${index}`)),
  }));
  const keys = shares.map(({ port, version }) => port && (version === null ? port : `${port}|${version}`));
  for (const [index, key] of keys.entries())
    if (key && keys.indexOf(key) !== index) context.report(messages.badWeights, { why: `name \`${key}\` twice` }, at);
  const weights = shares.map((share) => share.weight);
  if (!checkWeights(context, weights, at)) return undefined;
  return weighted(
    shares.flatMap(({ port, weight, rewrite, ...share }) =>
      port && weight && rewrite !== undefined ? [{ ...share, port, weight, rewrite }] : [],
    ),
  );
}

export function versionTargets(
  context: Context,
  weights: { readonly [version: string]: OrPerEnv<number> },
  { key, service, port }: Pick<Subject, 'key' | 'service' | 'port'>,
  at: Place,
): readonly WeightedTarget[] | undefined {
  if (!service || !port) {
    context.report(messages.unknownPart, { what: 'version', name: Object.keys(weights)[0] ?? '', of: key, known: [] }, at);
    return undefined;
  }
  const names = Object.keys(weights).sort();
  const unknown = names.filter((name) => !service.versions.includes(name));
  for (const name of unknown) context.report(messages.unknownPart, { what: 'version', name, of: service.key, known: service.versions }, at);
  const shares = names.map((version) => ({ version, weight: context.pick(weights[version] ?? 0, within(at, version)) }));
  if (
    !checkWeights(
      context,
      shares.map((share) => share.weight),
      at,
    ) ||
    unknown.length > 0
  )
    return undefined;
  return weighted(shares.flatMap(({ version, weight }) => (weight ? [{ ...plainTarget, port: port.key, version, weight }] : [])));
}

/** Whether a rule has several destinations in some environment. */
export function isSplitSomewhere({ mesh }: Context, to: WireDestination): boolean {
  const shares = to.kind === 'weights' ? Object.values(to.weights) : to.kind === 'split' ? to.shares.map(({ percent }) => percent) : [];
  return mesh.environments.some((environment) => shares.filter((share) => valueIn(share, environment) !== 0).length > 1);
}

/** Whether shares are whole numbers from 0 to 100 that add up to 100. A share that could not be read was reported before. */
function checkWeights(context: Context, weights: readonly (number | undefined)[], at: Place): boolean {
  const known = weights.filter((weight) => weight !== undefined);
  if (known.length < weights.length) return false;
  const fail = (why: string): false => (context.report(messages.badWeights, { why }, at), false);
  if (known.length === 0) return fail('are empty');
  if (known.some((weight) => !Number.isInteger(weight) || weight < 0 || weight > 100))
    return fail('are not all whole numbers from 0 to 100');
  const sum = known.reduce((total, weight) => total + weight, 0);
  return sum === 100 || fail(`add up to ${sum} in \`${context.environment}\``);
}

const weighted = (targets: readonly WeightedTarget[]): readonly WeightedTarget[] =>
  sortedBy(
    targets,
    (target) => target.port,
    (target) => target.version ?? '',
  );

/** A port that takes such requests: gRPC goes to gRPC, HTTP to HTTP; from a gateway's host either. */
function httpPort(context: Context, nouns: Nouns, ref: Ref, subject: Subject, at: Place): PortKey | undefined {
  const target = resolvePort(context, nouns, ref, at);
  const known = target?.service.versions ?? [];
  if (target && ref.version !== undefined && !known.includes(ref.version))
    context.report(messages.unknownPart, { what: 'version', name: ref.version, of: target.service.key, known }, at);
  if (target && (subject.port ? target.port.layer !== subject.port.layer : isConnection(target.port.layer))) {
    const { key, protocol } = target.port;
    context.report(
      messages.layerOfTarget,
      { port: subject.key, protocol: subject.port?.protocol ?? 'http', target: key, other: protocol },
      at,
    );
    return undefined;
  }
  return target?.port.key;
}

export function lowerMirrors(
  context: Context,
  nouns: Nouns,
  written: readonly WireMirror[],
  subject: Subject,
  at: Place,
): readonly Mirror[] {
  const mirrors = new Map<string, Mirror>();
  for (const { to, share } of written) {
    const percent = lowerShare(context, share, at);
    const [target] =
      'ref' in to
        ? (lowerTargets(context, nouns, { kind: 'target', to }, null, subject, at) ?? [])
        : (versionTargets(context, { [to.version]: 100 }, subject, at) ?? []);
    if (!target || percent === undefined) continue;
    const name = `${target.port} ${target.version ?? ''}`;
    if (mirrors.has(name)) context.report(messages.duplicate, { what: 'mirror to', name: name.trim(), first: 'this rule' }, at);
    mirrors.set(name, { port: target.port, version: target.version, percent });
  }
  return sortedBy(
    [...mirrors.values()].filter(({ percent }) => percent > 0),
    (mirror) => mirror.port,
    (mirror) => mirror.version ?? '',
  );
}
export const portsOf = (nouns: Nouns, targets: readonly { readonly port: PortKey }[]): readonly ServicePort[] =>
  sortedUnique(targets.map(({ port }) => port)).flatMap(
    (key) => [...nouns.services.values()].flatMap((service) => service.ports).find((port) => port.key === key) ?? [],
  );
