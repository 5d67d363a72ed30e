import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where the SDK's declarations lie: in a source checkout and in the built product alike, two folders up. */
export const defaultSdkDir = join(__dirname, '..', '..', 'sdk');

/** The compiler options that policies are checked with; the SDK owns them. */
export interface PolicyOptions {
  readonly compilerOptions: { readonly [option: string]: unknown; readonly paths: { readonly [name: string]: readonly string[] } };
  readonly files: readonly string[];
}

/** Reads `policy-tsconfig.json`, with its paths made absolute. */
export async function policyOptions(sdkDir: string): Promise<PolicyOptions> {
  const parsed = JSON.parse(await readFile(join(sdkDir, 'policy-tsconfig.json'), 'utf8')) as PolicyOptions; // our own file
  const absolute = (path: string): string => join(sdkDir, path);
  const paths = Object.fromEntries(Object.entries(parsed.compilerOptions.paths).map(([name, targets]) => [name, targets.map(absolute)]));
  return { compilerOptions: { ...parsed.compilerOptions, paths }, files: parsed.files.map(absolute) };
}

/** A digest of the declarations and options, for cache keys. */
export async function sdkTypesDigest(sdkDir: string): Promise<string> {
  const hash = createHash('sha256').update(await readFile(join(sdkDir, 'policy-tsconfig.json')));
  const entries = await readdir(join(sdkDir, 'types'), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const file of files.sort())
    hash
      .update(file.slice(sdkDir.length))
      .update('\0')
      .update(await readFile(file))
      .update('\0');
  return hash.digest('hex');
}
