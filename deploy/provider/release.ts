/**
 * `meshwright:index:Release`: the one mutable thing of an environment. Creating and updating it is the roll-out: it is sent, and the operation ends
 * when every proxy is active, or fails with what the control plane says.
 */
import type { SignedRelease } from '../../core/bundle/objects';
import { deploy } from '../../core/diagnostics/deploy';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { isDigest } from '../../core/lib/digest';
import { canonicalJson, type JsonObject } from '../../core/lib/json';
import type { Clock } from '../../platform/clock';
import { AdminError, type AdminClient } from '../admin/client';
import { awaitConvergence } from '../admin/convergence';
import { text, UnfinishedError, type Call, type Difference, type ResourceType, type State } from './resource';

export const releaseToken = 'meshwright:index:Release';
export interface ReleaseInputs {
  readonly environment: string;
  readonly generation: number;
  readonly digest: string;
  readonly commit: string;
  /** Name -> digest of what it puts in force. */
  readonly candidate: { readonly [name: string]: string };
  /** It would put in force what is in force: with the same commit, no change. An input only; the state does not hold it. */
  readonly settled: boolean;
}
export interface ReleaseSource {
  /** The bundle's release. Throws when the bundle cannot be read. */
  release(): Promise<SignedRelease>;
}

const defaultTimeoutMs = 10 * 60_000;

export function releaseType(client: AdminClient, source: ReleaseSource, clock: Clock): ResourceType {
  const rollOut = async (inputs: JsonObject, call: Call): Promise<State> => {
    const signed = await source.release();
    if (signed.digest !== text(inputs, 'digest'))
      throw new Error(`the bundle holds release ${signed.digest}, not ${text(inputs, 'digest')}`);
    if (call.dryRun) {
      await judge(signed);
      return stateOf(signed);
    }
    await client.putRelease(signed);
    const { generation } = signed.release;
    const ending = await awaitConvergence(client, {
      digest: signed.digest,
      generation,
      timeoutMs: call.timeoutMs ?? defaultTimeoutMs,
      signal: call.signal,
      clock,
      say: call.say,
      show: call.show,
    });
    if (ending.kind === 'failed') throw new UnfinishedError(stateOf(signed), said(ending.diagnostic));
    if (ending.kind === 'unproven') call.warn(said(ending.diagnostic));
    return stateOf(signed);
  };
  /** What can be told before anything is sent: the control plane answers, serves this environment, and the release follows what is live. */
  const judge = async ({ release, digest }: SignedRelease): Promise<void> => {
    const status = await client.status();
    if (status.environment !== '' && status.environment !== release.environment) {
      throw new AdminError('refused', [deploy.wrongEnvironment({ release: release.environment, controlPlane: status.environment })]);
    }
    const live = await client.release();
    if (live === null || live.digest === digest) return;
    if (release.generation !== live.release.generation + 1 || release.parent !== live.digest) {
      throw new AdminError('refused', [
        deploy.releaseRefused({ reason: `release ${release.generation} does not follow the live one, ${live.release.generation}` }),
      ]);
    }
  };
  return {
    check: (inputs) => [
      ...(text(inputs, 'environment') === '' ? [{ property: 'environment', reason: 'is missing' }] : []),
      ...(isDigest(text(inputs, 'digest')) ? [] : [{ property: 'digest', reason: 'is not a digest' }]),
    ],
    diff: diffRelease,
    create: rollOut,
    update: (_id, _olds, news, call) => rollOut(news, call),
    async read(id) {
      const live = await client.release();
      if (live === null) return null;
      const { state, message } = await client.status();
      const properties = propertiesOf(live);
      return { id, properties, ...(state === 'aborted' ? { unfinished: [`its roll-out was aborted: ${message}`] } : {}) };
    },
    async delete(_id, _properties, call) {
      call.warn('a release cannot be taken back: what is in force stays in force');
    },
  };
}

const stateOf = (signed: SignedRelease): State => ({ id: signed.release.environment, properties: propertiesOf(signed) });

const propertiesOf = ({ release, digest }: SignedRelease): JsonObject => ({
  environment: release.environment,
  generation: release.generation,
  digest,
  commit: release.commit,
  candidate: { ...release.candidate },
});

const said = (diagnostic: Diagnostic): string => `${diagnostic.code}: ${diagnostic.message}`;

/** A release of the same commit that would leave everything as it is (a settled one) is no change: a second preview is empty. */
function diffRelease(olds: JsonObject, news: JsonObject): Difference {
  if (text(olds, 'environment') !== text(news, 'environment'))
    return { kind: 'replace', changed: [{ path: 'environment', change: 'update' }] };
  if (text(olds, 'digest') === text(news, 'digest')) return { kind: 'none', changed: [] };
  const objects = diffSets(olds['candidate'], news['candidate']);
  const sameCommit = text(olds, 'commit') === text(news, 'commit');
  if (news['settled'] === true && sameCommit && objects.length === 0) return { kind: 'none', changed: [] };
  return {
    kind: 'update',
    changed: [{ path: 'generation', change: 'update' }, ...(sameCommit ? [] : [{ path: 'commit', change: 'update' as const }]), ...objects],
  };
}

function diffSets(before: unknown, after: unknown): { path: string; change: 'add' | 'delete' | 'update' }[] {
  const a = entriesOf(before);
  const b = entriesOf(after);
  return [...new Set([...a.keys(), ...b.keys()])]
    .sort()
    .filter((name) => canonicalJson(a.get(name) ?? null) !== canonicalJson(b.get(name) ?? null))
    .map((name) => ({ path: `candidate[${JSON.stringify(name)}]`, change: !a.has(name) ? 'add' : !b.has(name) ? 'delete' : 'update' }));
}
const entriesOf = (value: unknown): Map<string, unknown> =>
  new Map(typeof value === 'object' && value !== null ? Object.entries(value) : []);
