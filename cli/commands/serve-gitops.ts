import type { GitopsConfig } from '../../gitops/config';
import { GitopsRefused, serveGitops } from '../../gitops/main';
import { contentSecurityPolicy, page } from '../../web/app/page';
import type { Run } from '../command';
import { decodeConfig } from '../config';
import { printFindings } from '../bundles';
import { serveUntilStopped } from '../serving';

/** `meshwright serve gitops`: the loop, with the status page at its root. */
export const run: Run = async (context, values) => {
  const config = await decodeConfig<GitopsConfig>('gitops', values);
  try {
    const served = await serveGitops(config, {
      attachStatusPage: (app) => {
        for (const { path, type, body } of page) {
          app.get(
            path,
            (_request, response) =>
              void response
                .set({ 'content-type': type, 'content-security-policy': contentSecurityPolicy, 'cache-control': 'no-cache' })
                .send(body),
          );
        }
      },
    });
    return await serveUntilStopped(context, served, { url: served.url });
  } catch (error) {
    if (!(error instanceof GitopsRefused)) throw error;
    for (const one of error.diagnostics) context.out.note(`meshwright: ${one.code}: ${one.message}${one.help ? ` (${one.help})` : ''}`);
    printFindings(context, error.diagnostics);
    return 2;
  }
};
