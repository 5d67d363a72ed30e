import * as path from 'node:path';
import { retireKey, rotateKey } from '../../compiler/sign/keys';
import type { Run } from '../command';
import { printFindings } from '../bundles';

/** `meshwright keys rotate`: a new key beside the old; with `--retire`, the end of the overlap. */
export const run: Run = async (context, values) => {
  const files = { keyFile: path.resolve(context.cwd, values.need('keyFile')), trustFile: path.resolve(context.cwd, values.need('trust')) };
  const retired = values.text('retire');
  const changed =
    retired === undefined
      ? await rotateKey(files, values.need('env'), values.flag('preview') ? 'preview' : 'live')
      : await retireKey(files, retired);
  if (!changed.value) return printFindings(context, changed.diagnostics);
  context.out.document({ ok: true, ...files, trust: changed.value });
  context.out.line(
    retired === undefined
      ? 'the new key signs once the signer is started again; both are believed until `meshwright keys rotate --retire <old key>`'
      : `${retired} is believed no more; give the new trust root to everything that verifies`,
  );
  return 0;
};
