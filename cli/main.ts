import { Command, CommanderError, Option } from 'commander';
import { UsageError, type CommandContext, type ExitCode, type Verb } from './command';
import { createOutput, wantsColour } from './output';
import { Values } from './values';
import { verbs } from './verbs';
import { version } from './version';

/** Runs one call of the command line and sets the process's exit code. */
export function main(argv: readonly string[]): void {
  run(argv).then(end, (error: unknown) => {
    process.stderr.write(`meshwright: internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    end(2);
  });
}

/** Once what was written is out: a verb that has answered does not wait for a tool's idle process. */
function end(code: ExitCode): void {
  process.exitCode = code;
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
}

/** The same without the process: what tests and `up` call. */
export async function run(argv: readonly string[], streams: Pick<NodeJS.Process, 'stdout' | 'stderr'> = process): Promise<ExitCode> {
  let code: ExitCode = 0;
  const program = programOf(streams, async (verb, values) => {
    const json = values.flag('json');
    const out = createOutput(streams, { json, colour: wantsColour(process.env, streams.stdout) });
    const context: CommandContext = { cwd: process.cwd(), env: process.env, json, out };
    try {
      code = await (await verb.load()).run(context, values);
    } catch (error) {
      code = 2;
      const machines = machineTrouble(error);
      const known = error instanceof UsageError || machines !== null;
      const says = machines ?? (error instanceof Error ? error.message : String(error));
      out.document({ ok: false, error: { kind: known ? 'usage' : 'internal', message: says } });
      streams.stderr.write(
        known ? `meshwright: ${says}\n` : `meshwright: internal error: ${error instanceof Error ? (error.stack ?? says) : says}\n`,
      );
    }
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    // A wrong call is answered before any verb runs: whoever reads documents gets one all the same.
    if (argv.includes('--json')) {
      const says = error.message.replace(/^error: /, '');
      // Every command takes it, so where it is not known none was named.
      const message = says.startsWith("unknown option '--json'") ? 'a command is missing' : says;
      createOutput(streams, { json: true, colour: false }).document({ ok: false, error: { kind: 'usage', message } });
    }
    return 2;
  }
  return code;
}

/** What the machine refuses, a full or read-only folder and its like, in one line: no fault of the program, and nothing to report. */
function machineTrouble(error: unknown): string | null {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return null;
  const { code } = error;
  if (typeof code !== 'string' || !machineCodes.has(code)) return null;
  const [, says = error.message] = /^[A-Z]+: ([^,]+)/.exec(error.message) ?? [];
  return `${'path' in error && typeof error.path === 'string' ? `\`${error.path}\`: ` : ''}${says} (${code})`;
}
const machineCodes: ReadonlySet<string> = new Set(
  'EACCES EPERM EROFS ENOSPC EDQUOT ENOTDIR EISDIR EEXIST ENAMETOOLONG ELOOP EMFILE ENFILE EIO'.split(' '),
);

function programOf(streams: Pick<NodeJS.Process, 'stdout' | 'stderr'>, call: (verb: Verb, values: Values) => Promise<void>): Command {
  const program = new Command('meshwright')
    .description('service-mesh policy as typed TypeScript: checked, previewed, signed, rolled out and confirmed')
    .version(version())
    // Before the first command: each takes its own copy of this.
    .configureOutput({
      writeOut: (text) => streams.stdout.write(text),
      writeErr: (text) => streams.stderr.write(text.replace(/^error: /, 'meshwright: ')),
    });
  program.exitOverride().showHelpAfterError('(`meshwright help` lists the commands)').helpOption('-h, --help', 'help for a command');
  const groups = new Map<string, Command>();
  for (const verb of verbs) {
    const [first = '', second] = verb.name.split(' ');
    let parent = program;
    if (second !== undefined) {
      parent = groups.get(first) ?? program.command(first).description(groupSummary(first));
      parent.exitOverride();
      groups.set(first, parent);
    }
    const command = parent
      .command(second ?? first)
      .description(verb.summary)
      .exitOverride();
    for (const argument of verb.arguments ?? []) {
      const name = argument.many ? `${argument.name}...` : argument.name;
      command.argument(argument.required ? `<${name}>` : `[${name}]`, argument.summary);
    }
    for (const spec of verb.options ?? []) {
      const option = new Option(spec.flags, spec.summary);
      if (spec.choices) option.choices([...spec.choices]);
      if (spec.default !== undefined) option.default(spec.default);
      if (spec.many) option.argParser((value: string, before: string[] | undefined) => [...(before ?? []), value]);
      command.addOption(option);
    }
    command.option('--json', 'one JSON document on stdout, nothing else there');
    if (verb.examples) command.addHelpText('after', `\nExamples:\n${verb.examples.map((line) => `  $ ${line}`).join('\n')}`);
    command.action(async () => {
      const given: Record<string, unknown> = { ...command.opts() };
      for (const [index, argument] of (verb.arguments ?? []).entries()) given[argument.name] = command.processedArgs[index];
      await call(verb, new Values(given));
    });
  }
  return program;
}

const groupSummary = (name: string): string =>
  ({ keys: 'signing keys and the trust root', rollout: 'the roll-out under way', proxy: 'single proxies', serve: 'the servers' })[name] ??
  name;
