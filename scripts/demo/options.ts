/** `npm run demo -- [options]`. */
export interface Options {
  readonly json: boolean;
  readonly keep: boolean;
  readonly pulumi: boolean;
  /** The gateway's port; a free one unless given. */
  readonly port: number | undefined;
  /** Which steps are told, `abcdefg`. */
  readonly steps: string;
}

export const help = `usage: npm run demo -- [options]
  --no-pulumi   deploy without Pulumi's engine, and say so
  --json        one JSON document on stdout instead of the story
  --keep        leave everything running until Ctrl-C
  --port <n>    the gateway's port (default: a free one)
  --steps <abc> tell only these steps; a always runs
`;

/** Throws with one line for the user. */
export function parseOptions(argv: readonly string[]): Options | 'help' {
  let options: Options = { json: false, keep: false, pulumi: true, port: undefined, steps: 'abcdefg' };
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
        if (!/^[a-g]+$/.test(steps)) throw new Error(`\`--steps ${steps}\` names no steps: give letters from a to g`);
        options = { ...options, steps: `a${steps}` };
        break;
      }
      default:
        throw new Error(`\`${word ?? ''}\` is not an option; --help lists them`);
    }
  }
  return options;
}
