/** The form of releases and objects as they come from outside: checked before anything else looks at them. */
import { isDigest } from '../lib/digest';
import { apiVersion, type MeshObject, type Release } from './objects';

/** Why a value is not of the form; the text ends up in a diagnostic. */
export class FormError extends Error {}

const kinds: readonly string[] = ['ServiceConfig', 'ProxyConfig', 'AdmissionRules'];
const namePattern = /^[a-z0-9]([a-z0-9.+_-]{0,251}[a-z0-9])?$/;
const namespacePattern = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** An object's envelope. What is inside `spec` is the compiler's affair: the signature vouches for it. */
export function assertObjectForm(value: unknown): asserts value is MeshObject {
  const object = members(value, 'the object', ['apiVersion', 'kind', 'metadata', 'spec']);
  if (object['apiVersion'] !== apiVersion) throw new FormError(`\`apiVersion\` is not \`${apiVersion}\``);
  if (typeof object['kind'] !== 'string' || !kinds.includes(object['kind'])) throw new FormError(`\`kind\` is none of ${kinds.join(', ')}`);
  const meta = members(object['metadata'], '`metadata`', ['namespace', 'name']);
  assertName(meta['namespace'], namespacePattern, '`metadata.namespace`');
  assertName(meta['name'], namePattern, '`metadata.name`');
  const spec = object['spec'];
  if (typeof spec !== 'object' || spec === null || Array.isArray(spec)) throw new FormError('`spec` is not an object');
}

/** A whole release: every member there, none unknown, every digest well formed, waves rising to 100. */
export function assertReleaseForm(value: unknown): asserts value is Release {
  const release = members(value, 'the release', [
    ...['apiVersion', 'kind', 'environment', 'generation', 'parent', 'commit', 'repository', 'compiler', 'asOf', 'notAfter'],
    ...['stable', 'candidate', 'steps', 'waves', 'holdMs'],
  ]);
  if (release['apiVersion'] !== apiVersion) throw new FormError(`\`apiVersion\` is not \`${apiVersion}\``);
  if (release['kind'] !== 'Release') throw new FormError('`kind` is not `Release`');
  assertName(release['environment'], namespacePattern, '`environment`');
  if (!isCount(release['generation']) || release['generation'] === 0) throw new FormError('`generation` is not a whole number from 1');
  if (release['parent'] !== null && !isDigestValue(release['parent'])) throw new FormError('`parent` is neither null nor a digest');
  for (const key of ['commit', 'repository', 'compiler'] as const) {
    const text = release[key];
    if (typeof text !== 'string' || text.length > 2048) throw new FormError(`\`${key}\` is not a short text`);
  }
  if (typeof release['asOf'] !== 'string' || !/^\d{4}-\d\d-\d\d$/.test(release['asOf'])) throw new FormError('`asOf` is not a day');
  if (!isInstant(release['notAfter'])) throw new FormError('`notAfter` is not a UTC time such as `2026-11-22T10:00:00Z`');
  assertSet(release['stable'], 'stable');
  assertSet(release['candidate'], 'candidate');
  assertSteps(release['steps']);
  assertWaves(release['waves']);
  if (!isCount(release['holdMs'])) throw new FormError('`holdMs` is not a whole number from 0');
}

/** A value that must be a record with exactly these members. */
export function members(value: unknown, what: string, names: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new FormError(`${what} is not an object`);
  const extra = Object.keys(value).find((name) => !names.includes(name));
  if (extra !== undefined) throw new FormError(`${what} has an unknown member \`${extra.slice(0, 80)}\``);
  const missing = names.find((name) => !Object.hasOwn(value, name));
  if (missing !== undefined) throw new FormError(`${what} has no \`${missing}\``);
  return Object.fromEntries(Object.entries(value));
}

function assertName(value: unknown, pattern: RegExp, what: string): void {
  if (typeof value !== 'string' || !pattern.test(value) || value.includes('..')) throw new FormError(`${what} is not a name`);
}

function assertSet(value: unknown, what: string): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new FormError(`\`${what}\` is not an object`);
  for (const [name, digest] of Object.entries(value)) {
    const [kind, namespace, rest, more] = name.split('/');
    if (!kind || !kinds.includes(kind) || more !== undefined) throw new FormError(`\`${what}\` names \`${name.slice(0, 80)}\``);
    assertName(namespace, namespacePattern, `a namespace in \`${what}\``);
    assertName(rest, namePattern, `a name in \`${what}\``);
    if (!isDigestValue(digest)) throw new FormError(`\`${what}\` gives \`${name}\` something that is not a digest`);
  }
}

function assertSteps(value: unknown): void {
  if (!Array.isArray(value)) throw new FormError('`steps` is not a list');
  for (const item of value) {
    const step = members(item, 'a step', ['parts', 'why']);
    if (typeof step['why'] !== 'string') throw new FormError('a step has no `why`');
    if (!Array.isArray(step['parts'])) throw new FormError('`parts` of a step is not a list');
    for (const entry of step['parts']) {
      const part = members(entry, 'a part of a step', ['proxy', 'part']);
      if (typeof part['proxy'] !== 'string') throw new FormError('a part of a step names no proxy');
      if (part['part'] !== 'inbound' && part['part'] !== 'outbound')
        throw new FormError('a part of a step is neither `inbound` nor `outbound`');
    }
  }
}

function assertWaves(value: unknown): void {
  if (!Array.isArray(value) || value.length === 0) throw new FormError('`waves` is not a list of percentages');
  let before = 0;
  for (const wave of value) {
    if (typeof wave !== 'number' || !Number.isFinite(wave) || wave <= before || wave > 100)
      throw new FormError('`waves` does not rise to 100');
    before = wave;
  }
  if (before !== 100) throw new FormError('`waves` does not end with 100');
}

const isCount = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
const isDigestValue = (value: unknown): boolean => typeof value === 'string' && isDigest(value);
/** Whether it is a UTC time as a release says it. */
export const isInstant = (value: unknown): boolean =>
  typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/.test(value) && !Number.isNaN(Date.parse(value));
