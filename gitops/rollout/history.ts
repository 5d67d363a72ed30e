/**
 * The releases of this environment, on disk with everything they name, so that going back needs neither Git nor the compiler. Three files a release:
 * `release-<generation>.json`, `ir-<generation>.json` and `objects-<generation>.json` with those objects that no kept release before it has.
 */
import type { Bundle } from '../../core/bundle/bundle';
import type { SignedObject, SourceMap } from '../../core/bundle/objects';
import { completed } from '../../core/ir/earlier';
import type { MeshIr } from '../../core/ir/ir';
import type { Digest } from '../../core/lib/digest';
import type { Storage } from '../reconcile/storage';

export type ReleaseOutcome = 'pending' | 'live' | 'aborted';
export interface HistoryEntry {
  readonly generation: number;
  readonly digest: Digest;
  readonly commit: string;
  readonly outcome: ReleaseOutcome;
}
interface ReleaseRecord {
  readonly format: 1;
  readonly outcome: ReleaseOutcome;
  readonly release: Bundle['release'];
  /** Object digest -> the generation in whose file it lies. */
  readonly objects: { readonly [digest: string]: number };
  readonly sources: SourceMap;
}
export interface History {
  /** The newest first. */
  list(): readonly HistoryEntry[];
  /** Keeps a release that is about to go out; on the disk when it answers. */
  record(bundle: Bundle, ir: MeshIr): Promise<void>;
  /** Notes how it ended. A release that is not kept is ignored. */
  settle(generation: number, outcome: ReleaseOutcome): Promise<void>;
  ir(generation: number, digest: Digest): Promise<MeshIr | null>;
  /** The whole bundle of a kept release, or null where a part of it is gone. */
  bundle(generation: number): Promise<Bundle | null>;
}

const releasePattern = /^release-(\d{9})\.json$/;
const name = (what: 'release' | 'ir' | 'objects', generation: number): string => `${what}-${String(generation).padStart(9, '0')}.json`;

/** Opens the history; records that cannot be read are left out. `keep`: how many releases stay on the disk, default 20. */
export async function openHistory(storage: Storage, keep = 20): Promise<History> {
  const records = new Map<number, ReleaseRecord>();
  for (const file of await storage.list()) {
    if (!releasePattern.test(file)) continue;
    const record = decode<ReleaseRecord>(await storage.read(file));
    if (record?.format === 1) records.set(record.release.release.generation, record);
  }
  const newestFirst = (): readonly (readonly [number, ReleaseRecord])[] => [...records].sort(([a], [b]) => b - a);

  const objectsIn = async (generation: number): Promise<readonly SignedObject[]> =>
    decode<readonly SignedObject[]>(await storage.read(name('objects', generation))) ?? [];

  const prune = async (): Promise<void> => {
    for (const [generation] of newestFirst().slice(keep)) {
      await storage.remove(name('release', generation));
      records.delete(generation);
    }
    const needed = new Set<string>();
    for (const [generation, record] of records) {
      needed.add(name('ir', generation));
      for (const holder of Object.values(record.objects)) needed.add(name('objects', holder));
    }
    for (const file of await storage.list()) if (/^(ir|objects)-\d{9}\.json$/.test(file) && !needed.has(file)) await storage.remove(file);
  };

  return {
    list: () =>
      newestFirst().map(([generation, record]) => ({
        generation,
        digest: record.release.digest,
        commit: record.release.release.commit,
        outcome: record.outcome,
      })),
    record: async (bundle, ir) => {
      const { generation } = bundle.release.release;
      const holders = new Map<string, number>();
      for (const [other, record] of newestFirst()) {
        if (other >= generation || record.outcome === 'pending') continue;
        for (const [digest, holder] of Object.entries(record.objects)) if (!holders.has(digest)) holders.set(digest, holder);
      }
      const own = bundle.objects.filter((object) => !holders.has(object.digest));
      const objects = Object.fromEntries(bundle.objects.map((object) => [object.digest, holders.get(object.digest) ?? generation]));
      await storage.write(name('ir', generation), JSON.stringify(ir));
      await storage.write(name('objects', generation), JSON.stringify(own));
      const record: ReleaseRecord = { format: 1, outcome: 'pending', release: bundle.release, objects, sources: bundle.sources };
      await storage.write(name('release', generation), JSON.stringify(record));
      records.set(generation, record);
      await prune();
    },
    settle: async (generation, outcome) => {
      const record = records.get(generation);
      if (!record || record.outcome === outcome) return;
      const settled = { ...record, outcome };
      await storage.write(name('release', generation), JSON.stringify(settled));
      records.set(generation, settled);
    },
    ir: async (generation, digest) => {
      const kept = records.get(generation)?.release.digest === digest ? decode<MeshIr>(await storage.read(name('ir', generation))) : null;
      return kept && completed(kept);
    },
    bundle: async (generation) => {
      const record = records.get(generation);
      if (!record) return null;
      const found = new Map<string, SignedObject>();
      for (const holder of new Set(Object.values(record.objects)))
        for (const object of await objectsIn(holder)) found.set(object.digest, object);
      const objects = Object.keys(record.objects).map((digest) => found.get(digest));
      if (!objects.every((object) => object !== undefined)) return null;
      return { release: record.release, objects, sources: record.sources };
    },
  };
}

/** Our own files, written whole or not at all. Their signatures are verified again by whoever takes them. */
function decode<T>(text: string | null): T | null {
  if (text === null) return null;
  try {
    return JSON.parse(text) as T;
  } catch {
    return null;
  }
}
