import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { build, type BuildFailure, type Message, type Plugin } from 'esbuild';
import type { Diagnostic, Outcome, Span } from '../../core/diagnostics/diagnostic';
import { source } from '../../core/diagnostics/source';
import { isPolicyFile, isTestFile, resolveImport, type SourceTree } from '../../core/source';

/** One program for the sandbox: realm, SDK, policies, report; and the way back from its lines to the sources. */
export interface Bundle {
  readonly code: string;
  /** A source map whose sources of policies start with `tree:`. */
  readonly map: string;
}
export interface BundleOptions {
  /** Policy tests too, each run once for each of these. */
  readonly environments?: readonly string[];
  /** Of these files; all if not said. */
  readonly tests?: ReadonlySet<string>;
  /** The policy modules that are run; all if not said. */
  readonly policies?: ReadonlySet<string>;
  /** Where `policy/` and `testing/` of the SDK lie; beside this stage if not said. */
  readonly sdkDir?: string;
}

/** The first statement of every module of the tree; on its first line, so that no line number changes. */
export const preamble = (path: string): string =>
  `import { enter as __meshwrightEnter, leave as __meshwrightLeave } from 'mw:marks'; __meshwrightEnter(${JSON.stringify(path)}); `;
/** The last statement: what a module exports is frozen in depth, so that no team changes what another one imports. */
const postamble = `
;import * as __meshwrightSelf from 'mw:self'; __meshwrightLeave(__meshwrightSelf);
`;

/** Bundles without writing anything. Errors: MW1101 with the place. */
export async function bundle(tree: SourceTree, options: BundleOptions): Promise<Outcome<Bundle>> {
  try {
    const built = await build({
      stdin: { contents: entry(tree, options), resolveDir: __dirname, sourcefile: 'entry', loader: 'js' },
      bundle: true,
      write: false,
      outfile: '/bundle.js',
      format: 'iife',
      target: 'es2023',
      sourcemap: 'external',
      sourcesContent: false,
      banner: { js: '"use strict";' },
      treeShaking: false,
      charset: 'utf8',
      legalComments: 'none',
      logLevel: 'silent',
      tsconfigRaw: { compilerOptions: { target: 'es2023', useDefineForClassFields: true } },
      plugins: [modules(tree, options)],
    });
    const code = built.outputFiles.find((file) => file.path.endsWith('.js'))?.text;
    const map = built.outputFiles.find((file) => file.path.endsWith('.map'))?.text;
    if (code === undefined || map === undefined) throw new Error('internal: esbuild made no output');
    return { value: { code, map }, diagnostics: [] };
  } catch (error) {
    if (!isFailure(error)) throw error;
    return { diagnostics: error.errors.slice(0, 50).map(syntaxError) };
  }
}

/** Imports run in this order: doors and guards, the SDK, the lock, the policies in order of path and the report of them, then the tests. */
function entry(tree: SourceTree, { environments, tests: wanted }: BundleOptions): string {
  const tests = environments ? [...tree.files.keys()].filter((path) => isTestFile(path) && (wanted?.has(path) ?? true)) : [];
  return [
    `import 'mw:host';`,
    `import 'mw:guards';`,
    `import ${JSON.stringify(environments ? 'mw:virtual/lock-tests' : 'mw:virtual/lock')};`,
    `import ${JSON.stringify(environments ? 'mw:virtual/declared-tests' : 'mw:virtual/declared')};`,
    // What a test makes is not policy: the report was made before.
    ...tests.map((path) => `import ${JSON.stringify(`tree:${path}`)};`),
    ...(environments
      ? [
          `import { collected, runTest } from 'mw:run';`,
          `import { runTests } from 'mw:tests';`,
          `runTests(collected, runTest, ${JSON.stringify(environments)});`,
        ]
      : []),
  ].join('\n');
}

function lock(tests: boolean): string {
  return [
    // Here and not in the entry alone: built code is CommonJS, which a bundle runs where its importer's body is, after all ES modules of the entry.
    `import 'mw:host';`,
    `import 'mw:guards';`,
    `import * as policy from 'meshwright/policy';`,
    tests ? `import * as testing from 'meshwright/testing';` : `const testing = {};`,
    `import * as registry from 'mw:registry';`,
    `import { doors } from 'mw:host';`,
    `import { countWith } from 'mw:marks';`,
    `import { lockDown } from 'mw:lockdown';`,
    `countWith(registry.count ?? (() => registry.entries().length));`,
    ...(tests ? [`globalThis.__meshwrightAsk = (question) => doors.ask(question);`] : []),
    `lockDown([policy, testing]);`,
  ].join('\n');
}

function declared(tree: SourceTree, tests: boolean, wanted?: ReadonlySet<string>): string {
  const policies = [...tree.files.keys()].filter((path) => isPolicyFile(path) && (wanted?.has(path) ?? true));
  return [
    `import * as registry from 'mw:registry';`,
    `import { doors } from 'mw:host';`,
    `import { report } from 'mw:report';`,
    // `require` gives every module a function of its own. In one function for all, the engine would look for each line from its start: 7,000
    // declarations then take seconds to capture their stacks.
    `report(registry, [${policies.map((path) => `[${JSON.stringify(path)}, require(${JSON.stringify(`tree:${path}`)})]`).join(', ')}], ${tests ? 'doors.ask' : 'doors.emit'});`,
  ].join('\n');
}

const realm: { readonly [name: string]: string } = {
  'mw:host': 'host',
  'mw:guards': 'guards',
  'mw:marks': 'marks',
  'mw:lockdown': 'lockdown',
  'mw:report': 'report',
  'mw:tests': 'tests',
};

function modules(tree: SourceTree, options: BundleOptions): Plugin {
  const sdk = options.sdkDir ?? join(__dirname, '..', '..', 'sdk');
  const sdkFiles: { readonly [name: string]: string } = {
    'mw:registry': join(sdk, 'policy', 'registry'),
    'mw:run': join(sdk, 'testing', 'run'),
    'meshwright/policy': join(sdk, 'policy', 'index'),
    'meshwright/testing': join(sdk, 'testing', 'index'),
  };
  return {
    name: 'meshwright',
    setup(builder) {
      builder.onResolve({ filter: /^mw:/ }, ({ path, kind }) => {
        if (path === 'mw:self') return undefined;
        if (path.startsWith('mw:virtual/')) return { path: path.slice('mw:virtual/'.length), namespace: 'virtual' };
        const inRealm = realm[path];
        if (inRealm !== undefined) return { path: compiledOrSource(join(__dirname, 'realm', inRealm)) };
        const inSdk = sdkFiles[path];
        return inSdk === undefined ? { errors: [{ text: `${kind} of an unknown module` }] } : { path: compiledOrSource(inSdk) };
      });
      for (const namespace of ['file', 'virtual'])
        builder.onResolve({ filter: /^tree:/, namespace }, ({ path }) => ({ path: path.slice('tree:'.length), namespace: 'tree' }));
      builder.onResolve({ filter: /^meshwright\//, namespace: 'virtual' }, ({ path }) => ({
        path: compiledOrSource(sdkFiles[path] ?? path),
      }));
      builder.onResolve({ filter: /.*/, namespace: 'tree' }, ({ path, importer, kind }) => {
        if (path === 'mw:self') return { path: importer, namespace: 'tree' };
        if (kind !== 'import-statement') return { errors: [{ text: `${kind} is not part of the policy language` }] };
        const found = resolveImport(tree, importer, path);
        if (found.kind === 'refused') return { errors: [{ text: `\`${path}\` cannot be imported` }] };
        return found.kind === 'sdk' ? { path: compiledOrSource(sdkFiles[found.name] ?? '') } : { path: found.path, namespace: 'tree' };
      });
      builder.onLoad({ filter: /.*/, namespace: 'tree' }, ({ path }) => {
        const contents = tree.files.get(path) ?? '';
        if (!path.endsWith('.json')) return { contents: preamble(path) + contents + postamble, loader: 'ts' };
        if (!isJson(contents))
          return {
            errors: [{ text: 'this file is not JSON', location: { file: `tree:${path}`, line: 1, column: 0, length: 1, lineText: '' } }],
          };
        return { contents: `import { fixed } from 'mw:marks'; export default fixed(${JSON.stringify(contents)});`, loader: 'js' };
      });
      builder.onLoad({ filter: /.*/, namespace: 'virtual' }, ({ path }) => ({
        contents: path.startsWith('lock') ? lock(path === 'lock-tests') : declared(tree, path === 'declared-tests', options.policies),
        loader: 'js',
      }));
    },
  };
}

/** Built code has `.js` beside it, a source checkout `.ts`. */
function compiledOrSource(path: string): string {
  return existsSync(`${path}.js`) ? `${path}.js` : `${path}.ts`;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function isFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && 'errors' in error && Array.isArray(error.errors);
}

function syntaxError(message: Message): Diagnostic {
  const span = message.location ? locate(message.location) : undefined;
  const says = `${message.text.charAt(0).toLowerCase()}${message.text.slice(1)}`.replace(/"tree:([^"]*)"/g, '`$1`').replace(/"/g, '`');
  return source.syntax({ says }, { span });
}

function locate(location: NonNullable<Message['location']>): Span | undefined {
  if (!location.file.startsWith('tree:')) return undefined;
  const file = location.file.replace(/^tree:/, '');
  // esbuild counts bytes.
  const utf16 = Buffer.from(location.lineText, 'utf8').subarray(0, location.column).toString('utf8').length;
  const column = location.line === 1 ? Math.max(0, utf16 - preamble(file).length) : utf16;
  return { file, line: location.line, column: column + 1, endLine: location.line, endColumn: column + 1 + location.length };
}
