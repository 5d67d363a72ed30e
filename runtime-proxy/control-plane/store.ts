/**
 * What the control plane keeps, in a folder: objects by digest, the live release with its roll-out, and whom it has seen. Every file is written
 * whole and synced before anything is answered or sent because of it; on the way in everything is verified again, since a disk is not a signature.
 */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { objectName, type MeshObject, type ReleaseSet, type SignedObject, type SignedRelease } from '../../core/bundle/objects';
import { signedObjectMembers } from '../../core/bundle/signed-form';
import { verifyObject, verifyReleaseSignature } from '../../core/bundle/verify';
import type { TrustRoot } from '../../core/bundle/trust';
import { enforce } from '../../core/diagnostics/enforce';
import type { Diagnostic, Outcome } from '../../core/diagnostics/diagnostic';
import { digestOfJson, type Digest } from '../../core/lib/digest';
import { beginRollout, type RolloutPhase, type RolloutPlan, type RolloutProgress } from '../../core/rollout/rollout';
import { reasonOf } from '../../core/lib/reason';
import { latestOnly } from '../../platform/latest-only';
import { listFiles, readTextIfThere, syncFolder, writeFileAtomic } from '../../platform/files';
import { DecodeError, fieldsOf, booleanOf, listOf, numberOf, textOf } from '../rpc/decode';

export interface Live {
  readonly signed: SignedRelease;
  readonly progress: RolloutProgress;
}
/** An instance that once proved who it is, and until when it can. */
export interface Seen {
  readonly workload: string;
  readonly principal: string;
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
}
export interface Store {
  object(digest: Digest): SignedObject | undefined;
  putObject(signed: SignedObject): Promise<void>;
  /** False when it was not there. */
  deleteObject(digest: Digest): Promise<boolean>;
  live(): Live | null;
  /** Whether there was a release that cannot be served: then nothing is known, and what proxies have must stay. */
  isDamaged(): boolean;
  /** Why, where it has a better word than that the state is damaged. */
  why?(): string;
  setLive(live: Live): Promise<void>;
  seen(): ReadonlyMap<string, Seen>;
  setSeen(seen: ReadonlyMap<string, Seen>): Promise<void>;
}

/** The plan a release gives the roll-out. */
export const planOf = ({ release, digest }: SignedRelease): RolloutPlan => ({
  release: digest,
  steps: release.steps,
  waves: release.waves,
  holdMs: release.holdMs,
});

/** What is in force: candidate once the live release has converged, stable before that and after an abort. */
export function inForce({ signed, progress }: Live): ReleaseSet {
  return progress.phase.kind === 'converged' ? signed.release.candidate : signed.release.stable;
}

/** What a release that follows must name as stable. While nothing has confirmed the live one, its signer may build on either set: nobody has the one or the other. */
export function stableExpected(live: Live, stable: unknown): ReleaseSet {
  const { candidate } = live.signed.release;
  const takesCandidate =
    live.progress.phase.kind === 'unproven' &&
    typeof stable === 'object' &&
    stable !== null &&
    digestOfJson(stable) === digestOfJson(candidate);
  return takesCandidate ? candidate : inForce(live);
}

/** Objects of a set that the store lacks. */
export function missingOf(store: Pick<Store, 'object'>, set: ReleaseSet): readonly (readonly [string, Digest])[] {
  return Object.entries(set).filter(([name, digest]) => {
    const signed = store.object(digest);
    return !signed || objectName(signed.object) !== name;
  });
}

function missingInRelease(objects: ReadonlyMap<Digest, SignedObject>, { release }: SignedRelease): boolean {
  const lacks = (set: ReleaseSet): boolean => missingOf({ object: (digest) => objects.get(digest) }, set).length > 0;
  return lacks(release.stable) || lacks(release.candidate);
}

/** Opens a state folder. What does not verify is not served, and said. */
export async function openStore(
  folder: string,
  environment: string,
  trust: TrustRoot,
  say: (diagnostic: Diagnostic) => void,
): Promise<Store> {
  const objectsFolder = path.join(folder, 'objects');
  const liveFile = path.join(folder, 'live.json');
  const seenFile = path.join(folder, 'seen.json');
  await fs.mkdir(objectsFolder, { recursive: true, mode: 0o700 });
  const objects = new Map<Digest, SignedObject>();
  for (const name of await listFiles(objectsFolder)) {
    const file = path.join(objectsFolder, name);
    if (!/^[0-9a-f]{64}\.json$/.test(name)) {
      if (name.endsWith('.tmp')) await fs.rm(file, { force: true }); // a write that a kill cut short
      continue;
    }
    const outcome = await verifiedObject(await readTextIfThere(file), environment, trust);
    if (outcome.value && `sha256:${name.slice(0, -'.json'.length)}` === outcome.value.digest)
      objects.set(outcome.value.digest, outcome.value);
    else say(enforce.stateDamaged({ file, reason: outcome.diagnostics[0]?.message ?? 'it is under another name than its digest' }));
  }
  let live: Live | null = null;
  let damaged = false;
  try {
    live = await readLive(await readTextIfThere(liveFile), environment, trust);
  } catch (error) {
    damaged = true;
    say(enforce.stateDamaged({ file: liveFile, reason: reasonOf(error) }));
  }
  let seen: ReadonlyMap<string, Seen> = new Map();
  try {
    seen = readSeen(await readTextIfThere(seenFile));
  } catch (error) {
    say(enforce.stateDamaged({ file: seenFile, reason: reasonOf(error) }));
  }
  const keepSeen = latestOnly((next: ReadonlyMap<string, Seen>) => writeFileAtomic(seenFile, JSON.stringify(Object.fromEntries(next))));
  const fileOf = (digest: Digest): string => path.join(objectsFolder, `${digest.slice('sha256:'.length)}.json`);
  return {
    object: (digest) => objects.get(digest),
    async putObject(signed) {
      // The same content under another key's signature takes the place of the old one, whose key may be retired next.
      if (objects.get(signed.digest)?.jws === signed.jws) return;
      await writeFileAtomic(fileOf(signed.digest), JSON.stringify(signed));
      objects.set(signed.digest, signed);
    },
    async deleteObject(digest) {
      if (!objects.delete(digest)) return false;
      await fs.rm(fileOf(digest), { force: true });
      await syncFolder(objectsFolder);
      return true;
    },
    live: () => live,
    isDamaged: () => damaged || (live !== null && missingInRelease(objects, live.signed)),
    async setLive(next) {
      await writeFileAtomic(liveFile, JSON.stringify(next));
      live = next;
      damaged = false;
    },
    seen: () => seen,
    setSeen(next) {
      seen = next;
      return keepSeen(next);
    },
  };
}

/** A signed object from outside, verified. */
export async function verifiedObject(input: unknown, environment: string, trust: TrustRoot): Promise<Outcome<SignedObject>> {
  let parsed: unknown = input;
  if (typeof input === 'string') {
    try {
      parsed = JSON.parse(input);
    } catch {
      parsed = null;
    }
  }
  const { value, diagnostics } = await verifyObject(parsed, environment, trust);
  return value === undefined ? { diagnostics } : { value: signedObject(value, parsed), diagnostics };
}

function signedObject(object: MeshObject, parsed: unknown): SignedObject {
  const { packed } = signedObjectMembers(parsed);
  const jws = textOf(fieldsOf(parsed, 'the object'), 'jws', 1 << 20);
  return { object, digest: digestOfJson(object), jws, ...(packed === undefined ? {} : { packed }) };
}

async function readLive(text: string | null, environment: string, trust: TrustRoot): Promise<Live | null> {
  if (text === null) return null;
  const fields = fieldsOf(JSON.parse(text), 'the live release');
  const { value, diagnostics } = await verifyReleaseSignature(fields['signed'], trust);
  if (!value) throw new Error(diagnostics[0]?.message ?? 'it does not verify');
  if (value.release.environment !== environment) throw new Error(`it is for environment \`${value.release.environment}\``);
  const signed: SignedRelease = {
    release: value.release,
    digest: digestOfJson(value.release),
    jws: textOf(fieldsOf(fields['signed'], 'the signed release'), 'jws', 64 << 20),
  };
  return { signed, progress: readProgress(fields['progress'], signed) };
}

/** Progress that does not decode begins the roll-out anew, which is safe: parts that have moved stay where they are only by moving again. */
export function readProgress(value: unknown, signed: SignedRelease): RolloutProgress {
  const fields = fieldsOf(value, '`progress`');
  const fresh = beginRollout(planOf(signed), numberOf(fields, 'startedAt', 0, Number.MAX_SAFE_INTEGER));
  if (fields['release'] !== signed.digest) return fresh;
  const expected = listOf(fields, 'expected', 1_000_000).map((entry) => {
    const member = fieldsOf(entry, 'a member');
    const steps = listOf(member, 'steps').filter((step): step is number => typeof step === 'number');
    return { instance: textOf(member, 'instance'), steps };
  });
  return { ...fresh, hurried: booleanOf(fields, 'hurried'), expected, phase: readPhase(fieldsOf(fields['phase'], '`phase`')) };
}

function readPhase(fields: ReturnType<typeof fieldsOf>): RolloutPhase {
  const kind = textOf(fields, 'kind');
  const count = (key: string): number => numberOf(fields, key, 0, Number.MAX_SAFE_INTEGER);
  switch (kind) {
    case 'unproven':
    case 'rolling':
      return { kind, step: count('step'), wave: count('wave') };
    case 'holding':
      return { kind, step: count('step'), wave: count('wave'), until: count('until') };
    case 'converged':
      return { kind, at: count('at') };
    case 'aborted':
      return { kind, at: count('at'), reason: textOf(fields, 'reason', 1 << 20) };
    default:
      throw new DecodeError(`\`${kind}\` is no phase`);
  }
}

function readSeen(text: string | null): ReadonlyMap<string, Seen> {
  if (text === null) return new Map();
  return new Map(
    Object.entries(fieldsOf(JSON.parse(text), 'the list of instances')).map(([instance, value]) => {
      const fields = fieldsOf(value, 'an instance');
      return [
        instance,
        {
          workload: textOf(fields, 'workload'),
          principal: textOf(fields, 'principal'),
          notAfter: numberOf(fields, 'notAfter', 0, Number.MAX_SAFE_INTEGER),
        },
      ] as const;
    }),
  );
}
