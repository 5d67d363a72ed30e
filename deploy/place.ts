/** The folder in which Pulumi keeps what it keeps for a target: state, home with our plugin, passphrase, bundles. All of it the user's own, 0700. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { Bundle } from '../core/bundle/bundle';
import { digestOf, shortDigest } from '../core/lib/digest';
import { writeBundleFolder } from '../platform/bundle-folder';
import { isNotFound, readTextIfThere, writeFileAtomic } from '../platform/files';
import { pluginVersion } from './provider/version';

export const projectName = 'meshwright';

export interface Place {
  readonly root: string;
  /** PULUMI_HOME. */
  readonly home: string;
  readonly work: string;
  readonly backend: string;
  readonly passphraseFile: string;
  /** What PulumiCommand takes for an installation: `bin/pulumi` below it is the CLI. */
  readonly cliRoot: string;
  /** The stack's state as the file backend keeps it. */
  readonly checkpoint: string;
  readonly locks: string;
}

export interface PlaceOptions {
  readonly stateDir: string;
  readonly stack: string;
  /** Path of the CLI. */
  readonly pulumi: string;
  /** Compiled `deploy/provider/main.js`; found by itself when the product runs from dist/. */
  readonly providerMain?: string;
}

/** Makes what is missing, and nothing twice. */
export async function preparePlace({ stateDir, stack, pulumi, providerMain }: PlaceOptions): Promise<Place> {
  const root = path.resolve(stateDir);
  const place: Place = {
    root,
    home: path.join(root, 'home'),
    work: path.join(root, 'work'),
    backend: path.join(root, 'backend'),
    passphraseFile: path.join(root, 'passphrase'),
    cliRoot: path.join(root, 'cli'),
    checkpoint: path.join(root, 'backend', '.pulumi', 'stacks', projectName, `${stack}.json`),
    locks: path.join(root, 'backend', '.pulumi', 'locks', 'organization', projectName, stack),
  };
  const plugin = path.join(place.home, 'plugins', `resource-${projectName}-v${pluginVersion}`);
  for (const folder of [root, plugin, place.work, place.backend, path.join(place.cliRoot, 'bin')])
    await fs.mkdir(folder, { recursive: true, mode: 0o700 });
  if ((await readTextIfThere(place.passphraseFile)) === null)
    await writeFileAtomic(place.passphraseFile, randomBytes(32).toString('base64url'), { mode: 0o600 });
  await sameText(path.join(plugin, 'pulumi-resource-meshwright'), launcher(providerMain ?? (await findProvider())), 0o755);
  await linkTo(path.join(place.cliRoot, 'bin', 'pulumi'), pulumi);
  return place;
}

/**
 * Puts a stack's state aside that a full disk or a broken one has left unreadable: no Pulumi goes on from it. Everything in it is named by its digest, so an
 * update that begins without it sends the same things once more. True when there was such a state.
 */
export async function setDamagedAside({ checkpoint }: Pick<Place, 'checkpoint'>): Promise<boolean> {
  const text = await readTextIfThere(checkpoint);
  if (text === null) return false;
  try {
    JSON.parse(text);
    return false;
  } catch {
    await fs.rename(checkpoint, `${checkpoint}.damaged`);
    for (const part of ['.attrs', '.bak', '.bak.attrs']) await fs.rm(`${checkpoint}${part}`, { force: true });
    return true;
  }
}

/**
 * What every Pulumi process is given: nothing of the user's own Pulumi, no questions, and no network but for the Kubernetes provider, which is the vendor's:
 * from PATH where somebody put it there, else downloaded into this place once.
 */
export function placeEnvironment(place: Place, kind: 'universal' | 'kubernetes' = 'universal'): { readonly [name: string]: string } {
  return {
    PULUMI_HOME: place.home,
    PULUMI_BACKEND_URL: `file://${place.backend}`,
    PULUMI_CONFIG_PASSPHRASE_FILE: place.passphraseFile,
    PULUMI_CONFIG_PASSPHRASE: '',
    PULUMI_ACCESS_TOKEN: '',
    PULUMI_STACK: '',
    PULUMI_SKIP_UPDATE_CHECK: 'true',
    PULUMI_DISABLE_REGISTRY_RESOLVE: 'true',
    ...(kind === 'universal' ? { PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: 'true', PULUMI_IGNORE_AMBIENT_PLUGINS: 'true' } : {}),
    PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS: 'true',
    NO_COLOR: '1',
  };
}

/** The folder of a bundle with these very signatures, written if it is not there (whole or not at all); older ones go, but for the `keep` newest. */
export async function placeBundle(place: Place, bundle: Bundle, keep = 4): Promise<string> {
  const bundles = path.join(place.root, 'bundles');
  const signatures = digestOf([bundle.release.jws, ...bundle.objects.map(({ jws }) => jws)].join());
  const name = `${String(bundle.release.release.generation).padStart(10, '0')}-${shortDigest(bundle.release.digest)}-${shortDigest(signatures)}`;
  const folder = path.join(bundles, name);
  await fs.mkdir(bundles, { recursive: true, mode: 0o700 });
  const names = await fs.readdir(bundles);
  if (!names.includes(name)) {
    const unfinished = `${folder}.unfinished`;
    await fs.rm(unfinished, { recursive: true, force: true });
    await writeBundleFolder(unfinished, bundle);
    await fs.rename(unfinished, folder);
  }
  const others = names.filter((other) => other !== name).sort();
  for (const old of others.slice(0, Math.max(0, others.length - keep + 1)))
    await fs.rm(path.join(bundles, old), { recursive: true, force: true });
  return folder;
}

/** Pulumi's file backend keeps a copy of the state for each update ever made; the `keep` newest are enough. */
export async function pruneHistory(place: Place, stack: string, keep = 20): Promise<void> {
  const folder = path.join(place.backend, '.pulumi', 'history', projectName, stack);
  let names: readonly string[];
  try {
    names = await fs.readdir(folder);
  } catch (error) {
    if (isNotFound(error)) return;
    throw error;
  }
  // `<stack>-<nanoseconds>.history.json` and `.checkpoint.json`: by time
  const stamps = [...new Set(names.map(stampOf))].sort();
  const old = new Set(stamps.slice(0, Math.max(0, stamps.length - keep)));
  await Promise.all(names.filter((name) => old.has(stampOf(name))).map((name) => fs.rm(path.join(folder, name), { force: true })));
}
const stampOf = (name: string): string => /-(\d+)\.[a-z.]+$/.exec(name)?.[1]?.padStart(24, '0') ?? '';

const launcher = (main: string): string => `#!/bin/sh\nexec ${quoted(process.execPath)} ${quoted(main)} "$@"\n`;
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** Beside this file when compiled; in dist/ when run as source. */
async function findProvider(): Promise<string> {
  for (const candidate of [
    path.join(__dirname, 'provider', 'main.js'),
    path.join(__dirname, '..', 'dist', 'deploy', 'provider', 'main.js'),
  ]) {
    if (
      await fs.access(candidate).then(
        () => true,
        () => false,
      )
    )
      return candidate;
  }
  throw new Error('the provider is not built; run `npm run build`');
}

async function sameText(file: string, text: string, mode: number): Promise<void> {
  if ((await readTextIfThere(file)) !== text) await writeFileAtomic(file, text, { mode });
}

async function linkTo(link: string, target: string): Promise<void> {
  if ((await fs.readlink(link).catch(() => null)) === target) return;
  await fs.rm(link, { force: true });
  await fs.symlink(target, link);
}
