import { mkdir } from 'node:fs/promises';
import * as path from 'node:path';
import { isThere, writeFileAtomic } from '../../platform/files';
import { UsageError, type Run } from '../command';
import { starter } from '../starter';

/** A repository that is there already has its own. */
const mayStay: ReadonlySet<string> = new Set(['.gitignore']);

/** `meshwright init`: a small policy repository that checks, tests and builds as it stands. Never writes over a file. */
export const run: Run = async (context, values) => {
  const base = path.resolve(context.cwd, values.text('dir') ?? '.');
  const files = new Map(starter());
  for (const name of [...files.keys()]) {
    if (!(await isThere(path.join(base, name)))) continue;
    if (!mayStay.has(name))
      throw new UsageError(`${path.relative(context.cwd, path.join(base, name))} is there already: \`init\` writes over nothing`);
    files.delete(name);
  }
  for (const [name, text] of files) {
    await mkdir(path.dirname(path.join(base, name)), { recursive: true });
    await writeFileAtomic(path.join(base, name), text);
    context.out.line(`wrote    ${path.relative(context.cwd, path.join(base, name))}`);
  }
  const there = path.relative(context.cwd, base);
  context.out.document({ ok: true, files: [...files.keys()] });
  context.out.line(`next     ${there === '' ? '' : `cd ${there} && `}meshwright check && meshwright test`);
  context.out.line('then     meshwright test --watch   (again after each change; the tests lie beside the policies, `*.policy.test.ts`)');
  return 0;
};
