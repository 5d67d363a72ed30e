/**
 * The bundle folder, as pure text: path -> content. One thing has one spelling: a file that is not byte for byte what this module writes is
 * refused, so nothing in a bundle can change unnoticed, not even white space.
 *
 *   release.json                          SignedRelease
 *   services/<namespace>/<name>.json      SignedObject of a ServiceConfig
 *   proxies/<namespace>/<name>.json       SignedObject of a ProxyConfig
 *   admission.json                        SignedObject of the AdmissionRules
 *   sources.json, <target>/...            unsigned themselves; the release's signature lists their digests
 */
import { hasErrors, type Diagnostic, type Outcome } from '../diagnostics/diagnostic';
import { sign } from '../diagnostics/sign';
import { digestOf, digestOfJson } from '../lib/digest';
import { canonicalJson } from '../lib/json';
import { objectName, type MeshObject, type SignedObject, type SignedRelease, type SourceMap } from './objects';
import { assertHolds } from './packing';
import { assertReleaseForm, FormError, members } from './release-form';
import { signedObjectMembers } from './signed-form';
import type { Byproducts } from './statement';
import type { TrustRoot } from './trust';
import { verifyObject, verifyReleaseSignature, type Purpose } from './verify';

/** An empty `jws` means not signed yet: such a bundle can be read and compared, but nothing accepts it. */
export interface Bundle {
  readonly release: SignedRelease;
  /** Those the release's candidate names, by name. */
  readonly objects: readonly SignedObject[];
  readonly sources: SourceMap;
  /** Files of other targets: path inside the bundle -> text. */
  readonly files?: ReadonlyMap<string, string>;
}

const maxFiles = 100_000;
const maxFileLength = 64 * 1024 * 1024;

/** The path of an object's file inside a bundle. */
export function objectPath(object: Pick<MeshObject, 'kind' | 'metadata'>): string {
  const { namespace, name } = object.metadata;
  switch (object.kind) {
    case 'ServiceConfig':
      return `services/${namespace}/${name}.json`;
    case 'ProxyConfig':
      return `proxies/${namespace}/${name}.json`;
    case 'AdmissionRules':
      return 'admission.json';
  }
}

/** Whether a bundle may have a file or folder of that path. Other targets' folders join when there are some. */
export function isBundlePath(path: string): boolean {
  return /^(?:(?:release|sources|admission)\.json|(?:services|proxies)(?:\/[^/]+(?:\/[^/]+\.json)?)?)$/.test(path);
}

/** The files of a bundle, sorted by path. */
export function bundleFiles(bundle: Bundle): ReadonlyMap<string, string> {
  const files = new Map<string, string>(byproductFiles(bundle));
  files.set('release.json', formatJson(bundle.release));
  for (const signed of bundle.objects) files.set(objectPath(signed.object), formatJson(signed));
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What the release's signature covers beside the release: the digests of `sources.json` and of other targets' files. */
export function byproductsOf(bundle: Pick<Bundle, 'sources' | 'files'>): Byproducts {
  return Object.fromEntries([...byproductFiles(bundle)].map(([path, text]) => [path, digestOf(text)]));
}

/**
 * Reads a bundle from its files (path with `/` -> text) without verifying signatures: forms, spelling, and that the files are those the
 * release names, none missing and none of another object.
 */
export function parseBundle(files: ReadonlyMap<string, string>): Outcome<Bundle> {
  if (files.size > maxFiles) return { diagnostics: [sign.bundleFile({ path: '.', reason: `more than ${maxFiles} files` })] };
  const diagnostics: Diagnostic[] = [];
  let release: SignedRelease | undefined;
  let sources: SourceMap | undefined;
  const objects: SignedObject[] = [];
  const others = new Map<string, string>();
  for (const [path, text] of files) {
    try {
      if (path === 'release.json') release = readRelease(text);
      else if (path === 'sources.json') sources = readSources(text);
      else if (path === 'admission.json' || /^(services|proxies)\//.test(path)) objects.push(readObject(path, text));
      else others.set(path, text);
    } catch (error) {
      diagnostics.push(sign.bundleFile({ path, reason: error instanceof FormError ? error.message : 'it cannot be read' }));
    }
  }
  const missing = (path: string): void => void diagnostics.push(sign.bundleFile({ path, reason: 'it is missing' }));
  if (!files.has('release.json')) missing('release.json');
  if (!files.has('sources.json')) missing('sources.json');
  if (release === undefined || sources === undefined || hasErrors(diagnostics)) return { diagnostics };
  objects.sort((a, b) => (objectName(a.object) < objectName(b.object) ? -1 : 1));
  const bundle: Bundle = { release, objects, sources, files: others };
  diagnostics.push(...completeness(bundle));
  return hasErrors(diagnostics) ? { diagnostics } : { value: bundle, diagnostics };
}

/**
 * Verifies a whole bundle: the release's signature, every object's, that they are the very objects the release names, and every other file
 * against the digests signed along with the release. Says nothing about what is live.
 */
export async function verifyBundle(bundle: Bundle, trust: TrustRoot, purpose: Purpose = 'live'): Promise<Outcome<Bundle>> {
  const diagnostics: Diagnostic[] = [...completeness(bundle)];
  const signed = await verifyReleaseSignature(bundle.release, trust, purpose);
  diagnostics.push(...signed.diagnostics);
  if (signed.value) {
    const actual = byproductsOf(bundle);
    for (const path of new Set([...Object.keys(actual), ...Object.keys(signed.value.byproducts)])) {
      const reason = differs(actual[path], signed.value.byproducts[path]);
      if (reason) diagnostics.push(sign.bundleFile({ path, reason }));
    }
  }
  for (const object of bundle.objects) {
    diagnostics.push(...(await verifyObject(object, bundle.release.release.environment, trust, purpose)).diagnostics);
  }
  return hasErrors(diagnostics) ? { diagnostics } : { value: bundle, diagnostics };
}

/** JSON with sorted keys, two blanks of indentation and a final newline: the spelling of every file in a bundle. */
export function formatJson(value: unknown): string {
  return `${indented(JSON.parse(canonicalJson(value)), '')}\n`;
}

function indented(value: unknown, indent: string): string {
  if (typeof value !== 'object' || value === null) return canonicalJson(value);
  const inner = `${indent}  `;
  const list = Array.isArray(value);
  const lines = list
    ? value.map((item) => `${inner}${indented(item, inner)}`)
    : Object.entries(value)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, item]) => `${inner}${JSON.stringify(key)}: ${indented(item, inner)}`);
  const [open, close] = list ? '[]' : '{}';
  return lines.length === 0 ? `${open}${close}` : `${open}\n${lines.join(',\n')}\n${indent}${close}`;
}

function byproductFiles(bundle: Pick<Bundle, 'sources' | 'files'>): ReadonlyMap<string, string> {
  return new Map([...(bundle.files ?? []), ['sources.json', formatJson(bundle.sources)]]);
}

function differs(actual: string | undefined, stated: string | undefined): string | undefined {
  if (actual === undefined) return 'it is missing';
  if (stated === undefined) return 'the release was signed without it';
  return actual === stated ? undefined : 'it was changed after the release was signed';
}

function completeness({ release, objects }: Bundle): Diagnostic[] {
  const diagnostics: Diagnostic[] = [];
  const candidate = new Map<string, string>(Object.entries(release.release.candidate));
  const seen = new Set<string>();
  for (const { object, digest } of objects) {
    const name = objectName(object);
    const path = objectPath(object);
    if (seen.has(name)) diagnostics.push(sign.bundleFile({ path, reason: `\`${name}\` is there twice` }));
    seen.add(name);
    if (candidate.get(name) !== digest) diagnostics.push(sign.bundleFile({ path, reason: 'the release does not name this object' }));
  }
  for (const name of candidate.keys()) {
    if (!seen.has(name)) diagnostics.push(sign.bundleFile({ path: 'release.json', reason: `it names \`${name}\`, which is not there` }));
  }
  return diagnostics;
}

/** Parses and demands the one spelling. Duplicate keys, other white space and other escapes all show here. */
function readExact(text: string): unknown {
  if (text.length > maxFileLength) throw new FormError('it is too large');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new FormError('it is not JSON');
  }
  if (formatJson(value) !== text) throw new FormError('it is not spelled as the compiler writes it');
  return value;
}

function readRelease(text: string): SignedRelease {
  const { release, digest, jws } = members(readExact(text), 'the file', ['release', 'digest', 'jws']);
  assertReleaseForm(release);
  if (digest !== digestOfJson(release)) throw new FormError('its digest is not that of its release');
  if (typeof jws !== 'string') throw new FormError('`jws` is not a text');
  return { release, digest: digestOfJson(release), jws };
}

function readObject(path: string, text: string): SignedObject {
  const { object, digest, jws, packed } = signedObjectMembers(readExact(text), 'the file');
  if (objectPath(object) !== path) throw new FormError(`it holds the object of \`${objectPath(object)}\``);
  if (digest !== digestOfJson(object)) throw new FormError('its digest is not that of its object');
  if (typeof jws !== 'string') throw new FormError('`jws` is not a text');
  if (packed !== undefined) assertHolds(packed, object);
  return { object, digest: digestOfJson(object), jws, ...(packed === undefined ? {} : { packed }) };
}

function readSources(text: string): SourceMap {
  const map: Record<string, SourceMap[string]> = {};
  const value = readExact(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new FormError('it is not an object');
  for (const [rule, place] of Object.entries(value)) {
    const { file, line, column, chain } = members(place, `\`${rule}\``, ['file', 'line', 'column', 'chain']);
    if (!Array.isArray(chain)) throw new FormError(`\`${rule}\` has no chain`);
    Object.defineProperty(map, rule, { value: { ...position(file, line, column), chain: chain.map(readPosition) }, enumerable: true });
  }
  return map;
}

type Position = SourceMap[string]['chain'][number];
function readPosition(value: unknown): Position {
  const { file, line, column } = members(value, 'a place', ['file', 'line', 'column']);
  return position(file, line, column);
}
function position(file: unknown, line: unknown, column: unknown): Position {
  if (typeof file !== 'string' || typeof line !== 'number' || typeof column !== 'number')
    throw new FormError('a place is not file, line and column');
  return { file, line, column };
}
