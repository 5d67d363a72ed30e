import type { Declaration, Evaluated } from '../../core/declarations/declaration';
import { hasErrors, type Diagnostic, type Outcome } from '../../core/diagnostics/diagnostic';
import { validateDeclarations } from '../../core/declarations/validate';
import { evaluate as said } from '../../core/diagnostics/evaluate';
import { checkTree, type SourceTree } from '../../core/source';
import { bundle } from './bundle';
import { link, shown, type Declared } from './link';
import { placesOf } from './origins';
import { createSandbox, defaultMemory, type Ran, type Sandbox } from './sandbox';
import { verdictOf, type Limits } from './verdict';

export interface EvaluateOptions {
  /** Units of work: one is about 5000 loop turns, or 16,384 characters or elements that a built-in touches. Default: by the size of the sources. */
  readonly fuel?: number;
  readonly memoryBytes?: number;
  /** Milliseconds until the sandbox is ended from outside: far above what the fuel takes, for work that cannot be counted. */
  readonly wallMs?: number;
  /** Characters that may leave the sandbox. */
  readonly resultLength?: number;
  /** Where `policy/` and `testing/` of the SDK lie, for tests with a small SDK of their own. */
  readonly sdkDir?: string;
  /** A sandbox of one's own, to be closed by its maker. */
  readonly sandbox?: Sandbox;
}

const longestResult = 64 * 1024 * 1024;

/** Declarations one after the other take about 1.5 units for each 1,024 characters: what is written out may be long, what loops may not. */
const fuelOf = (tree: SourceTree): number => 8_000 + 3 * Math.floor(lengthOf(tree) / 1024);
const lengthOf = (tree: SourceTree): number => [...tree.files.values()].reduce((sum, text) => sum + text.length, 0);

/** The work is counted, so the clock only ends what cannot be: it grows with the sources too. */
export const limitsOf = (tree: SourceTree, options: EvaluateOptions): Limits => ({
  fuel: options.fuel ?? fuelOf(tree),
  memoryBytes: options.memoryBytes ?? defaultMemory + 32 * lengthOf(tree),
  wallMs: options.wallMs ?? 30_000 + Math.ceil(lengthOf(tree) / 50),
});

let shared: ReturnType<typeof createSandbox> | undefined;
/** The process's warm sandbox: its thread keeps no process alive. */
export const sharedSandbox = (): Sandbox => {
  shared ??= createSandbox();
  shared.warm();
  return shared;
};

/**
 * Runs the policy modules of a tree in the sandbox and links what they export. The same tree gives the same bytes, on every machine.
 * Errors: MW20xx (what a module did), MW21xx (what the SDK refused), MW10xx (what source refuses, when it was not asked before).
 */
export async function evaluate(tree: SourceTree, options: EvaluateOptions = {}): Promise<Outcome<Evaluated>> {
  const refused = checkTree(tree);
  if (hasErrors(refused)) return { diagnostics: refused };
  const sandbox = options.sandbox ?? sharedSandbox();
  const bundled = await bundle(tree, options);
  if (!bundled.value) return { diagnostics: bundled.diagnostics };
  const limits = limitsOf(tree, options);
  const places = placesOf(bundled.value.map);
  const ran = await sandbox.run({ code: bundled.value.code, ...limits });
  if (ran.kind !== 'finished') return { diagnostics: [lost(ran, limits)] };
  const { finished } = ran;
  const verdict = verdictOf(finished, limits, places);
  if (hasErrors(verdict)) return { diagnostics: verdict };
  const { json } = finished;
  if (json === null) return { diagnostics: [said.crash({ reason: 'no result' })] };
  const limit = options.resultLength ?? longestResult;
  if (json.length > limit) return { diagnostics: [said.resultSize({ bytes: json.length, limit })] };
  const linked = link(tree, JSON.parse(json) as Declared, places); // written by realm/report.ts alone
  if (hasErrors(linked.diagnostics)) return { diagnostics: linked.diagnostics };
  const declarations = linked.declarations.map((one) => withKeys(tree, one));
  const misshapen = validateDeclarations(declarations.map((one) => one.value)).map(({ index, at, says }) => {
    const id = linked.declarations[index]?.id ?? '';
    return said.schema({ at: at === '' ? id : `${id}: ${at}`, says: shown(says) }, { span: linked.origins[id]?.span });
  });
  if (misshapen.length > 0) return { diagnostics: misshapen };
  return { value: { declarations, origins: linked.origins, fuel: finished.fuel }, diagnostics: linked.diagnostics };
}

/** The keys that an issuer names, read from the same sources: a module never sees the text of a file. */
function withKeys(tree: SourceTree, declaration: Declaration): Declaration {
  const { value } = declaration;
  if (value.kind !== 'issuer' || 'url' in value.keys) return declaration;
  const text = tree.files.get(value.keys.file);
  return { ...declaration, value: { ...value, keys: { file: value.keys.file, ...(text === undefined ? {} : { text }) } } };
}

/** What is said of a sandbox that did not answer. */
export function lost(ran: Exclude<Ran, { kind: 'finished' }>, limits: Limits): Diagnostic {
  if (ran.kind === 'late') return said.wallClock({ seconds: limits.wallMs / 1000 });
  if (/call stack/.test(ran.reason)) return said.depth({});
  if (/out of memory|memory access/i.test(ran.reason)) return said.memory({ mebibytes: Math.round(limits.memoryBytes / 1048576) });
  return said.crash({ reason: ran.reason.split('\n')[0] ?? '' });
}
