/** What speaks about the rest: needs, guarantees, patches, the roll-out. */
import { ir as messages } from '../../core/diagnostics/ir';
import { settings as words } from '../../core/diagnostics/settings';
import type { Guarantee, Need, Patch, Rollout, RouteTable, ServicePort } from '../../core/ir/ir';
import { isConnection } from '../../core/ir/layers';
import { patchFields } from '../../core/ir/patch-fields';
import type { PatchUnit } from '../../core/ir/patch-fields';
import { assertNever } from '../../core/lib/brand';
import type { Json } from '../../core/lib/json';
import { sortedBy, sortedUnique } from '../../core/lib/order';
import { compareVersions } from '../../core/lib/version';
import type { PortKey, RuleId } from '../../core/mesh/ids';
import { lowerCallers, lowerPorts, resolvePort } from './callers';
import type { Context, Declared, Place } from './context';
import { checkOwner } from './nouns';
import type { Nouns } from './nouns';
import { askedRetry, readCallerLimits } from './resilience';
import { readDuration, readRetry } from './settings';
import { durationMs, formatMs, percent } from './units';

export function lowerNeeds(context: Context, nouns: Nouns, routes: readonly RouteTable[]): readonly Need[] {
  return sortedBy(
    context.all('need').flatMap((declared) => lowerNeed(context, nouns, routes, declared) ?? []),
    (need) => need.id,
  );
}

function lowerNeed(context: Context, nouns: Nouns, routes: readonly RouteTable[], { id, team, value }: Declared<'need'>): Need | undefined {
  const at = { id, path: '' };
  const found = context.resolve(value.caller, ['service', 'workload', 'gateway'], { id, path: 'caller' });
  const caller = found && nouns.workloads.get(found.id);
  if (value.targets.length === 0) context.report(messages.empty, { what: 'the list of targets' }, at);
  const timeoutMs = value.timeout === undefined ? null : (readDuration(context, value.timeout, { id, path: 'timeout' }) ?? null);
  const idleMs = value.idle === undefined ? null : (readDuration(context, value.idle, { id, path: 'idle' }) ?? null);
  const written = value.retry === undefined ? undefined : (readRetry(context, value.retry, { id, path: 'retry' }) ?? 'none');
  const retry = written === undefined ? null : written === 'none' ? written : askedRetry(written);
  const picked = value.connections === undefined ? undefined : context.pick(value.connections, { id, path: 'connections' });
  const connections = picked === undefined ? null : readCallerLimits(context, picked, { id, path: 'connections' });
  const targets: PortKey[] = [];
  for (const ref of value.targets) {
    const target = resolvePort(context, nouns, ref, { id, path: 'targets' });
    if (!target) continue;
    if (isConnection(target.port.layer) && (idleMs !== null || connections !== null))
      context.report(
        messages.unsupported,
        { feature: `\`${idleMs === null ? 'connections' : 'idle'}\` in a need of a ${target.port.protocol} port` },
        { id, path: idleMs === null ? 'connections' : 'idle' },
      );
    if (isConnection(target.port.layer) && (timeoutMs !== null || retry !== null))
      context.report(
        messages.notOfLayer,
        { dimension: timeoutMs === null ? 'retry' : 'timeout', port: target.port.key, protocol: target.port.protocol },
        { id, path: timeoutMs === null ? 'retry' : 'timeout' },
      );
    targets.push(target.port.key);
    checkNotWider(context, routes, target.port, { timeoutMs, idleMs, retry, connections }, id);
    if (
      written !== undefined &&
      written !== 'none' &&
      written.budgetPercent !== null &&
      target.port.resilience.connections.retries !== null
    )
      context.report(
        words.twoRetryLimits,
        { port: target.port.key, retries: target.port.resilience.connections.retries },
        { id, path: 'retry' },
      );
  }
  if (!caller) return undefined;
  if (caller.kind === 'gateway' && [timeoutMs, idleMs, retry, connections].some((asked) => asked !== null))
    context.report(messages.unsupported, { feature: 'a timeout, retries or limits in the need of a gateway (its routes say them)' }, at);
  checkOwner(context, { team, id }, 'say the needs of', caller.key, caller.team, false);
  return { id: id as RuleId, caller: caller.key, targets: sortedUnique(targets), timeoutMs, idleMs, retry, connections };
}

/** A caller may be stricter than the owner, never wider; what no rule of the owner's grants is asked in vain. */
function checkNotWider(
  context: Context,
  routes: readonly RouteTable[],
  { key, resilience }: ServicePort,
  { timeoutMs, idleMs, retry, connections }: Pick<Need, 'timeoutMs' | 'idleMs' | 'retry' | 'connections'>,
  id: string,
): void {
  const wider = (field: string, path: string, value: string, owner: string): void =>
    context.report(messages.widerNeed, { field, value, owner }, { id, path });
  for (const field of ['max', 'pending', 'requests', 'retries'] as const) {
    const [asked, owner] = [connections?.[field] ?? null, resilience.connections[field]];
    if (asked !== null && owner !== null && asked > owner) wider(`connections.${field}`, 'connections', String(asked), String(owner));
  }
  const connect = connections?.connectTimeoutMs ?? null;
  if (connect !== null && connect > resilience.connections.connectTimeoutMs)
    wider('connections.connectTimeout', 'connections', formatMs(connect), formatMs(resilience.connections.connectTimeoutMs));
  const forwards = (routes.find((table) => table.port === key)?.rules ?? []).flatMap((rule) =>
    rule.action.kind === 'forward' ? [rule.action] : [],
  );
  if (forwards.length === 0) return;
  const longest = Math.max(...forwards.map((action) => action.timeoutMs));
  if (timeoutMs !== null && timeoutMs > longest) wider('timeout', 'timeout', formatMs(timeoutMs), formatMs(longest));
  const idlest = Math.max(...forwards.map((action) => action.idleMs));
  if (idleMs !== null && idleMs > idlest) wider('idle', 'idle', formatMs(idleMs), formatMs(idlest));
  if (retry === null || retry === 'none') return;
  const most = Math.max(...forwards.map((action) => action.retry?.atMost ?? 0));
  if (retry.atMost > most) wider('retry.atMost', 'retry', String(retry.atMost), most === 0 ? 'none' : String(most));
}

export function lowerGuarantees(context: Context, nouns: Nouns): readonly Guarantee[] {
  return sortedBy(
    context.all('guarantee').flatMap(({ id, team, value }): Guarantee[] => {
      const from = lowerCallers(context, nouns, value.from, { id, path: 'from' });
      const to = lowerPorts(context, nouns, value.to, { id, path: 'to' });
      return from && to ? [{ id: id as RuleId, claim: 'never', team, from, to }] : [];
    }),
    (guarantee) => guarantee.id,
  );
}

export function lowerPatches(context: Context, nouns: Nouns): readonly Patch[] {
  return sortedBy(
    context.all('patch').flatMap((declared) => lowerPatch(context, nouns, declared) ?? []),
    (patch) => patch.id,
  );
}

function lowerPatch(context: Context, nouns: Nouns, { id, team, value }: Declared<'patch'>): Patch | undefined {
  const at = { id, path: '' };
  const subject = resolvePort(context, nouns, value.on, { id, path: 'on' });
  if (subject) {
    checkOwner(context, { team, id }, 'patch', subject.port.key, subject.service.team, false);
    if (isConnection(subject.port.layer) && value.direction === 'inbound')
      context.report(messages.layerNotPatched, { port: subject.port.key, protocol: subject.port.protocol }, at);
  }
  const min = value.envoy.min ?? null;
  const below = value.envoy.below ?? null;
  if (min === null && below === null) context.report(messages.empty, { what: '`envoy`, the range of versions,' }, at);
  const { envoy } = context.mesh.runs;
  if ((min !== null && compareVersions(envoy, min) < 0) || (below !== null && compareVersions(envoy, below) >= 0)) {
    const range = [min === null ? '' : `from ${min}`, below === null ? '' : `below ${below}`].filter((part) => part !== '').join(' ');
    context.report(messages.patchVersion, { range, runs: envoy }, at);
  }
  const allowed = patchFields[value.direction];
  const merge: { [field: string]: Json } = {};
  for (const written of Object.keys(value.merge).sort()) {
    const field = written.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const unit = Object.hasOwn(allowed, field) ? allowed[field] : undefined;
    const given = value.merge[written];
    const why = unit === undefined ? 'it is not on the list' : whyNot(unit, given);
    if (why !== undefined) context.report(messages.badPatch, { field: written, why, known: Object.keys(allowed) }, { id, path: 'merge' });
    else merge[field] = jsonOf(given);
  }
  if (Object.keys(value.merge).length === 0) context.report(messages.empty, { what: '`merge`' }, at);
  return subject && { id: id as RuleId, port: subject.port.key, direction: value.direction, envoy: { min, below }, merge };
}

function whyNot(unit: PatchUnit, value: unknown): string | undefined {
  switch (unit) {
    case 'duration': {
      const well = typeof value === 'string' && /^[0-9]{1,5}(?:\.[0-9]{1,3})?s$/.test(value) && Number.parseFloat(value) > 0;
      return well ? undefined : "it takes a duration in Envoy's form, such as `0.25s`";
    }
    case 'bytes':
      return isWhole(value, 1024, 67_108_864) ? undefined : 'it takes a whole number from 1024 to 67108864';
    case 'count':
      return isWhole(value, 1, 65_535) ? undefined : 'it takes a whole number from 1 to 65535';
    case 'sockets': {
      const well =
        Array.isArray(value) &&
        value.length > 0 &&
        value.length <= 16 &&
        value.every((option) => hasOnly(option, ['level', 'name', 'intValue'], -1));
      return well ? undefined : 'it takes a list of `{ level, name, intValue }`';
    }
    case 'keepalive': {
      const well =
        isRecord(value) &&
        Object.keys(value).join() === 'tcpKeepalive' &&
        hasOnly(value['tcpKeepalive'], ['keepaliveProbes', 'keepaliveTime', 'keepaliveInterval'], 1);
      return well ? undefined : 'it takes `{ tcpKeepalive: { keepaliveProbes, keepaliveTime, keepaliveInterval } }`';
    }
    default:
      return assertNever(unit);
  }
}

/** What `whyNot` let through is JSON already: it came over the sandbox's border as text. */
function jsonOf(value: unknown): Json {
  return JSON.parse(JSON.stringify(value));
}
const isWhole = (value: unknown, least: number, most: number): boolean =>
  typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
const isRecord = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
/** Whether a value is a record of some of these fields, and at least one, with whole numbers. */
function hasOnly(value: unknown, fields: readonly string[], least: number): boolean {
  return (
    isRecord(value) &&
    Object.keys(value).length > 0 &&
    Object.entries(value).every(([field, given]) => fields.includes(field) && isWhole(given, least, 2_147_483_647))
  );
}

/** The mesh's roll-out: everybody at once where nothing is said. */
export function lowerRollout(context: Context): Rollout {
  let rollout: Rollout | undefined;
  let first: string | undefined;
  for (const { id, team, value } of context.all('rollout')) {
    const at = { id, path: '' };
    const wholeMesh =
      value.for.length > 0 &&
      value.for.every((scope) => scope.kind === 'mesh' || (scope.kind === 'ref' && scope.to.ref === context.meshId));
    if (!wholeMesh) context.report(messages.unsupported, { feature: 'a roll-out of its own for a part of the mesh' }, { id, path: 'for' });
    checkOwner(context, { team, id }, 'set the roll-out of', 'mesh', 'mesh', true);
    if (first !== undefined) {
      context.report(messages.duplicate, { what: 'roll-out of', name: 'mesh', first }, at);
      continue;
    }
    first = id;
    const waves = lowerWaves(context, value.waves, { id, path: 'waves' });
    const holdMs = /^0(?:\.0+)?(?:ms|s|m|h)$/.test(value.hold) ? 0 : durationMs(context, value.hold, { id, path: 'hold' });
    if (waves && holdMs !== undefined) rollout = { waves, holdMs };
  }
  return rollout ?? { waves: [100], holdMs: 0 };
}

function lowerWaves(context: Context, written: readonly string[], at: Place): readonly number[] | undefined {
  const waves = written.flatMap((text) => percent(context, text, at) ?? []);
  const fail = (why: string): undefined => void context.report(messages.badWaves, { why }, at);
  if (waves.length < written.length) return undefined;
  if (waves.length === 0) return fail('are empty');
  if ((waves[0] ?? 0) <= 0 || waves.some((wave, index) => index > 0 && wave <= (waves[index - 1] ?? 0))) return fail('do not grow');
  return waves.at(-1) === 100 ? waves : fail('do not end with 100%');
}

/** Whether who wrote a standard may: the owner of what it is for, or the platform. */
export function checkStandards(context: Context, nouns: Nouns): void {
  for (const { id, team, value } of context.all('standard')) {
    if (value.for.length === 0) context.report(messages.empty, { what: '`for`' }, { id, path: 'for' });
    for (const scope of value.for) {
      if (scope.kind === 'ref' && scope.to.ref !== context.meshId) {
        const owner = nouns.namespaces.get(scope.to.ref)?.team ?? nouns.workloads.get(scope.to.ref)?.team;
        if (owner !== undefined) checkOwner(context, { team, id }, 'set a standard for', scope.to.ref, owner, true, 'for');
        continue;
      }
      checkOwner(
        context,
        { team, id },
        'set a standard for',
        scope.kind === 'tagged' ? 'services of other teams' : 'mesh',
        'mesh',
        true,
        'for',
      );
      if (scope.kind === 'tagged') lowerPortsOfTag(context, nouns, scope.tags, id);
    }
  }
}

/** A standard for a tag that nothing carries is for nobody. */
function lowerPortsOfTag(context: Context, nouns: Nouns, tags: { readonly [tag: string]: string }, id: string): void {
  lowerPorts(context, nouns, [{ kind: 'tagged', tags }], { id, path: 'for' });
}
