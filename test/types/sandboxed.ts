/** Runs policy sources against the SDK with their types taken away: what is left when nobody believes the types. */
import { build } from 'esbuild';
import * as path from 'node:path';
import * as vm from 'node:vm';
import { root } from './policy-compiler';

const sdk = path.join(root, 'sdk');

/**
 * Bundles a module with the SDK and runs it in a realm of its own, with nothing of Node's in it. `attempt(name, f)` is there as a global; what
 * `f` throws is kept by name: `{ code, message, help }` of a PolicyError, `{ threw }` of anything else, `{}` if it did not throw.
 */
export interface Attempt {
  readonly code?: string;
  readonly message?: string;
  readonly help?: string;
  readonly threw?: string;
}
export async function runErased(
  source: string,
  resolveDir: string,
): Promise<{ readonly attempts: ReadonlyMap<string, Attempt>; readonly values: readonly unknown[] }> {
  const built = await build({
    stdin: {
      contents: `${source}\nimport { entries } from 'meshwright/registry';\nglobalThis.__values = JSON.stringify(entries().map((one) => one.value));`,
      resolveDir,
      loader: 'ts',
    },
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'neutral',
    target: 'es2023',
    alias: {
      'meshwright/policy': path.join(sdk, 'policy', 'index.ts'),
      'meshwright/testing': path.join(sdk, 'testing', 'index.ts'),
      'meshwright/registry': path.join(sdk, 'policy', 'registry.ts'),
    },
    logLevel: 'silent',
  });
  const context = vm.createContext({});
  vm.runInContext(
    `globalThis.__attempts = [];
     globalThis.attempt = (name, f) => {
       try { f(); __attempts.push([name, {}]); }
       catch (error) { __attempts.push([name, error && error.code ? { code: error.code, message: error.message, help: error.help } : { threw: String(error) }]); }
     };`,
    context,
  );
  vm.runInContext(built.outputFiles[0]?.text ?? '', context, { timeout: 20_000 });
  const attempts = JSON.parse(vm.runInContext('JSON.stringify(__attempts)', context) as string) as [string, Attempt][];
  return { attempts: new Map(attempts), values: JSON.parse(vm.runInContext('__values', context) as string) as unknown[] };
}
