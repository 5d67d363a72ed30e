/** `npm run demo -- [options]`. */
export interface Options {
  readonly json: boolean;
  readonly keep: boolean;
  readonly pulumi: boolean;
  /** The story on a real Kubernetes API server. */
  readonly kubernetes: boolean;
  /** The gateway's port; a free one unless given. */
  readonly port: number | undefined;
  /** Which steps are told: `abcdefg`; on Kubernetes `abcdefhijk`. */
  readonly steps: string;
}

const allSteps = { universal: 'abcdefg', kubernetes: 'abcdefhijk' } as const;

export const help = `usage: npm run demo -- [options]
  --kubernetes  tell it on a real Kubernetes API server, with the admission webhook installed
  --no-pulumi   deploy without Pulumi's engine, and say so
  --json        one JSON document on stdout instead of the story
  --keep        leave everything running until Ctrl-C
  --port <n>    the gateway's port (default: a free one)
  --steps <abc> tell only these steps; a always runs
`;

/** Throws with one line for the user. */
export function parseOptions(argv: readonly string[]): Options | 'help' {
  let options: Options = { json: false, keep: false, pulumi: true, kubernetes: false, port: undefined, steps: '' };
  for (let at = 0; at < argv.length; at += 1) {
    const word = argv[at];
    switch (word) {
      case '--help':
      case '-h':
        return 'help';
      case '--json':
        options = { ...options, json: true };
        break;
      case '--keep':
        options = { ...options, keep: true };
        break;
      case '--kubernetes':
        options = { ...options, kubernetes: true };
        break;
      case '--no-pulumi':
        options = { ...options, pulumi: false };
        break;
      case '--port': {
        const text = argv[(at += 1)] ?? '';
        const port = Number(text);
        if (!/^\d+$/.test(text) || port < 1 || port > 65535)
          throw new Error(`\`--port ${text}\` is no port: give a number from 1 to 65535`);
        options = { ...options, port };
        break;
      }
      case '--steps': {
        const steps = argv[(at += 1)] ?? '';
        if (steps === '') throw new Error('`--steps` names no steps: give their letters');
        options = { ...options, steps: `a${steps}` };
        break;
      }
      default:
        throw new Error(`\`${word ?? ''}\` is not an option; --help lists them`);
    }
  }
  const known = allSteps[options.kubernetes ? 'kubernetes' : 'universal'];
  for (const letter of options.steps)
    if (!known.includes(letter)) throw new Error(`\`--steps ${options.steps.slice(1)}\` has \`${letter}\`, which is none of ${known}`);
  return options.steps === '' ? { ...options, steps: known } : options;
}
