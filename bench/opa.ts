/** Open Policy Agent's server, the rival that the webhook is measured beside. */
import { goBuild } from '../platform/tools/go-build';
import { obtain, type ObtainOptions } from '../platform/tools/obtain';

export const opaVersion = '1.9.0';

/** The path of `opa`, from the cache or built from its Go module (a minute or two, once). Throws ToolUnavailable. */
export const obtainOpa = (options: ObtainOptions = {}): Promise<string> =>
  obtain(
    {
      name: 'opa',
      version: opaVersion,
      executable: 'opa',
      sha256: null,
      repair: 'install Go 1.24 or later so that it can be built',
      make: (work, say) =>
        goBuild(
          {
            what: 'Open Policy Agent',
            takes: '1 to 3 minutes',
            module: 'bench/opa',
            target: 'github.com/open-policy-agent/opa',
            ldflags: '-s -w',
          },
          work,
          { ...process.env, CGO_ENABLED: '0' },
          say,
        ),
    },
    options,
  );
