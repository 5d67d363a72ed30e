/**
 * The pages of examples/: a README.md in each repository, whose modules are filled in from the files beside it, and one page of them all in
 * docs/examples. What tasks share with the repository they begin from is copied from there, so that each stands alone and none goes its own way.
 *
 *   <!-- module: policies/books/reviews.policy.ts -->      followed by the file's text, written here
 */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { isThere, listFiles } from '../../platform/files';

const marker = /<!-- module: (\S+) -->\n(?:```ts\n[\s\S]*?\n```\n)?/g;

/** A repository of examples/, with the files that its page is about. */
export interface ExampleMesh {
  /** Below examples/: `bookinfo/request-routing`. */
  readonly folder: string;
  /** The names in its page's markers. */
  readonly modules: readonly string[];
}

/** Every folder below examples/ that holds policies. In order of path. */
export async function exampleMeshes(root: string): Promise<readonly ExampleMesh[]> {
  const found: ExampleMesh[] = [];
  for (const file of await listFiles(path.join(root, 'examples'))) {
    const folder = /^(.*)\/policies\/mesh\.policy\.ts$/.exec(file)?.[1];
    if (folder === undefined) continue;
    const page = await fs.readFile(path.join(root, 'examples', folder, 'README.md'), 'utf8');
    found.push({ folder, modules: [...page.matchAll(marker)].map((match) => match[1] ?? '') });
  }
  return found;
}

/** Path below the root to text: pages filled in, files shared with `start`, the pages in docs/examples. */
export async function examplePages(root: string): Promise<ReadonlyMap<string, string>> {
  const wanted = new Map<string, string>();
  const read = (file: string): Promise<string> => fs.readFile(path.join(root, file), 'utf8');
  const meshes = await exampleMeshes(root);
  for (const { folder, modules } of meshes) {
    const base = `examples/${folder}`;
    const start = `${path.posix.dirname(base)}/start`;
    const own = new Set(modules);
    if (base !== start && (await isThere(path.join(root, start))))
      for (const file of await listFiles(path.join(root, start)))
        if (/^package\.json$|^policies\//.test(file) && !own.has(file)) wanted.set(`${base}/${file}`, await read(`${start}/${file}`));
    const page = await read(`${base}/README.md`);
    const texts = new Map(await Promise.all(modules.map(async (name) => [name, await read(`${base}/${name}`)] as const)));
    const told = page.replace(
      marker,
      (_, name: string) => `<!-- module: ${name} -->\n\`\`\`ts\n// ${name}\n${(texts.get(name) ?? '').trimEnd()}\n\`\`\`\n`,
    );
    wanted.set(`${base}/README.md`, told);
  }
  for (const name of new Set(meshes.map(({ folder }) => folder.split('/')[0] ?? ''))) {
    const single = meshes.some(({ folder }) => folder === name);
    const cover = single ? (wanted.get(`examples/${name}/README.md`) ?? '') : await read(`examples/${name}/README.md`);
    const parts = single ? [] : [...cover.matchAll(/^- \[[^\]]+\]\(([^)]+)\/\)$/gm)].map((match) => `${name}/${match[1]}`);
    const missing = meshes.filter(({ folder }) => folder !== name && folder.startsWith(`${name}/`) && !parts.includes(folder));
    if (missing.length > 0) throw new Error(`examples/${name}/README.md does not list ${missing.map(({ folder }) => folder).join(', ')}`);
    const from = `../../examples/${name}`;
    const sections = parts.map((part) => (wanted.get(`examples/${part}/README.md`) ?? '').replace(/^# /gm, '## '));
    const text = [cover.replace(/\]\((?!https?:)([^)]+)\)/g, `](${from}/$1)`), ...sections].map((one) => one.trimEnd()).join('\n\n');
    wanted.set(`docs/examples/${name}.md`, `${text.replace(/<!-- module: \S+ -->\n/g, '')}\n`);
  }
  return wanted;
}
