/**
 * The local copy of one branch: a bare Git directory, one commit deep, kept up to date with isomorphic-git. Nothing is ever checked out; the compiler
 * reads blobs from the object database. The store is a cache: one that is broken or grew too large is thrown away and cloned anew.
 */
import * as fs from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as git from 'isomorphic-git';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { gitops } from '../../core/diagnostics/gitops';
import { reasonOf } from '../../core/lib/reason';
import { ok, unavailable, type LegResult } from '../reconcile/deps';
import { httpTransport, TransportError, type TransportLimits } from './http-transport';

export interface StoreOptions {
  /** Made when it is not there; belongs to the store alone. */
  readonly dir: string;
  readonly url: string;
  readonly branch: string;
  /** Value of the Authorization header, or null. */
  readonly authorization: () => Promise<string | null>;
  readonly limits: StoreLimits;
}
export interface StoreLimits extends TransportLimits {
  /** Bytes on the disk after which the store is cloned anew. */
  readonly storeBytes: number;
  /** Fetches after which it is cloned anew: each leaves a pack behind. */
  readonly fetches: number;
}
export const defaultLimits: StoreLimits = { timeoutMs: 20_000, packBytes: 64 << 20, storeBytes: 256 << 20, fetches: 200 };

export interface GitStore {
  /** The Git directory to read the last fetched commit from. */
  readonly gitdir: string;
  /** Brings the newest commit of the branch here and answers its id. Wherever the branch points now is the newest: force pushes and rewinds count. */
  fetch(): Promise<LegResult<string>>;
  /** The commit object's own bytes. */
  readCommit(oid: string): Promise<Uint8Array>;
}

/** Opens the store without touching the network. */
export async function openStore(options: StoreOptions): Promise<GitStore> {
  const gitdir = join(options.dir, 'repository.git');
  const http = httpTransport(options.limits, options.authorization);
  await mkdir(options.dir, { recursive: true, mode: 0o700 });
  // What a kill left half made.
  for (const entry of await readdir(options.dir))
    if (entry !== 'repository.git') await rm(join(options.dir, entry), { recursive: true, force: true });
  let fetches = 0;

  const into = async (dir: string): Promise<string> => {
    http.takeFailure();
    const result = await git
      .fetch({
        fs,
        http,
        gitdir: dir,
        url: options.url,
        remote: 'origin',
        ref: options.branch,
        remoteRef: options.branch,
        singleBranch: true,
        depth: 1,
        tags: false,
        cache: {},
      })
      .catch((error: unknown) => {
        throw http.takeFailure() ?? error;
      });
    const cut = http.takeFailure();
    if (cut) throw cut;
    if (!result.fetchHead) throw new git.Errors.NotFoundError(options.branch);
    return result.fetchHead;
  };
  const cloneAnew = async (): Promise<string> => {
    const fresh = join(options.dir, 'incoming.git');
    await rm(fresh, { recursive: true, force: true });
    await git.init({ fs, gitdir: fresh, bare: true, defaultBranch: options.branch });
    await git.addRemote({ fs, gitdir: fresh, remote: 'origin', url: options.url });
    const oid = await into(fresh);
    await whole(fresh, oid);
    await rm(gitdir, { recursive: true, force: true });
    await rename(fresh, gitdir);
    fetches = 0;
    return oid;
  };

  return {
    gitdir,
    fetch: async () => {
      let why: string | null = null;
      try {
        if (!fs.existsSync(join(gitdir, 'HEAD'))) return ok(await cloneAnew());
        why = await staleness(gitdir, options, fetches);
        if (why === null) {
          try {
            fetches += 1;
            const oid = await into(gitdir);
            await whole(gitdir, oid);
            return ok(oid);
          } catch (error) {
            // The server's fault: a fresh clone would meet it too. Anything else is taken for a fault of the copy.
            if (error instanceof TransportError || isMissingBranch(error)) throw error;
            why = reasonOf(error);
          }
        }
        return ok(await cloneAnew(), [gitops.storeBroken({ reason: why })]);
      } catch (error) {
        return unavailable(diagnose(error, options));
      }
    },
    readCommit: async (oid) => {
      const { object } = await git.readObject({ fs, gitdir, oid, format: 'content', cache: {} });
      if (!(object instanceof Uint8Array)) throw new Error(`internal: ${oid} was not read as bytes`);
      return object;
    },
  };
}

/** Every object below the commit is there and readable: a fetch drops objects whose base is missing without a word. */
async function whole(gitdir: string, oid: string): Promise<void> {
  const cache = {};
  let entries = 0;
  const walk = async (tree: string): Promise<void> => {
    for (const entry of (await git.readTree({ fs, gitdir, oid: tree, cache })).tree) {
      entries += 1;
      if (entries > 50_000) throw new TransportError('size', 'more than 50000 files');
      if (entry.type === 'tree') await walk(entry.oid);
      else if (entry.type === 'blob') await git.readObject({ fs, gitdir, oid: entry.oid, format: 'deflated', cache });
    }
  };
  await walk(oid);
}

async function staleness(gitdir: string, options: StoreOptions, fetches: number): Promise<string | null> {
  if ((await git.getConfig({ fs, gitdir, path: 'remote.origin.url' }).catch(() => null)) !== options.url)
    return 'the address of the repository changed';
  if (fetches >= options.limits.fetches) return `it had ${fetches} fetches`;
  const packs = join(gitdir, 'objects', 'pack');
  let bytes = 0;
  for (const name of await readdir(packs).catch(() => [])) bytes += (await stat(join(packs, name))).size;
  return bytes > options.limits.storeBytes ? `it holds ${bytes} bytes` : null;
}

const isMissingBranch = (error: unknown): boolean =>
  error instanceof git.Errors.NotFoundError || error instanceof git.Errors.NoRefspecError;

function diagnose(error: unknown, { url, branch, limits }: StoreOptions): Diagnostic {
  if (error instanceof TransportError) {
    if (error.reason === 'timeout') return gitops.gitTimeout({ url, afterMs: limits.timeoutMs });
    if (error.reason === 'size') return gitops.repositoryTooLarge({ url, limitBytes: limits.packBytes });
    if (error.reason === 'redirect') return gitops.redirectRefused({ url, status: error.status });
    if (error.reason === 'auth') return gitops.gitAuth({ url, status: error.status });
    return gitops.gitUnreachable({ url, reason: error.message });
  }
  if (isMissingBranch(error)) return gitops.branchMissing({ url, branch });
  return gitops.gitUnreachable({ url, reason: reasonOf(error) });
}
