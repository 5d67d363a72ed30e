/** Programs that npm cannot carry: made once, kept in the user's cache folder, shared by whoever asks at the same time. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cacheFolder, isNotFound, readTextIfThere } from '../files';

export interface Tool {
  readonly name: string;
  readonly version: string;
  /** File name of the program inside the cache folder of this version. */
  readonly executable: string;
  /** Hexadecimal; the program is refused when it differs. null where it is built here, and so differs by machine. */
  readonly sha256: string | null;
  /** What to do by hand when it cannot be had: an action, one line. */
  readonly repair: string;
  /** `make` answers with a folder that is kept as it is, with the program in it at `executable`; its digest is then `make`'s to check. */
  readonly tree?: true;
  /** Makes the program somewhere below `work` (removed afterwards) and answers with its path. */
  readonly make: (work: string, say: Say) => Promise<string>;
}
export type Say = (line: string) => void;
export interface ObtainOptions {
  /** Progress, a line at a time; stderr if not given. */
  readonly say?: Say;
  /** For tests; the user's cache if not given. */
  readonly folder?: string;
  /** How long to wait for another process that is making the same tool, in milliseconds (20 minutes). */
  readonly waitMs?: number;
}

/** One line for people: what cannot be had, why, and the repair. */
export class ToolUnavailable extends Error {
  override readonly name = 'ToolUnavailable';
  constructor(
    readonly tool: string,
    readonly reason: string,
    readonly repair: string,
  ) {
    super(`${tool} cannot be had: ${reason}; ${repair}`);
  }
}

const underWay = new Map<string, Promise<string>>();

/** The path of a program, from the cache or made now. Callers at the same time, in this process or another, share one making. Throws ToolUnavailable. */
export function obtain(tool: Tool, options: ObtainOptions = {}): Promise<string> {
  const folder = path.join(options.folder ?? cacheFolder('tools'), `${tool.name}-${tool.version}`);
  const running = underWay.get(folder);
  if (running) return running;
  const started = obtainInto(folder, tool, options).finally(() => underWay.delete(folder));
  underWay.set(folder, started);
  return started;
}

async function obtainInto(folder: string, tool: Tool, options: ObtainOptions): Promise<string> {
  const program = path.join(folder, tool.executable);
  if (await isProgram(program)) return program;
  const say = options.say ?? ((line: string): void => void process.stderr.write(`meshwright: ${line}\n`));
  await fs.mkdir(path.dirname(folder), { recursive: true });
  const unlock = await lock(`${folder}.lock`, tool, say, Date.now() + (options.waitMs ?? 20 * 60_000));
  const work = `${folder}.work.${process.pid}`;
  try {
    if (await isProgram(program)) return program; // another process made it meanwhile
    const started = Date.now();
    say(`obtaining ${tool.name} ${tool.version} (once; kept in ${path.dirname(folder)})`);
    await fs.rm(work, { recursive: true, force: true });
    await fs.mkdir(work, { recursive: true });
    const made = await tool.make(work, say);
    if (tool.tree) await fs.rename(made, folder);
    else {
      await expectSha256(made, tool.sha256, tool);
      await fs.chmod(made, 0o755);
      await fs.mkdir(folder, { recursive: true });
      await fs.rename(made, program);
    }
    say(`${tool.name} ${tool.version} is ready after ${((Date.now() - started) / 1000).toFixed(1)} s`);
    return program;
  } catch (error) {
    if (error instanceof ToolUnavailable) throw error;
    throw new ToolUnavailable(`${tool.name} ${tool.version}`, oneLine(error), tool.repair);
  } finally {
    await fs.rm(work, { recursive: true, force: true });
    await unlock();
  }
}

/** Throws unless the file has that digest. */
export async function expectSha256(file: string, sha256: string | null, tool: Pick<Tool, 'name' | 'version' | 'repair'>): Promise<void> {
  if (sha256 === null) return;
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer); // a file stream without an encoding gives Buffers
  const found = hash.digest('hex');
  if (found !== sha256)
    throw new ToolUnavailable(`${tool.name} ${tool.version}`, `what was downloaded has sha256 ${found} and not ${sha256}`, tool.repair);
}

/** A lock file that holds its owner's pid; one whose owner is gone is taken over. */
async function lock(file: string, tool: Tool, say: Say, deadline: number): Promise<() => Promise<void>> {
  for (let told = false; ;) {
    try {
      await fs.writeFile(file, String(process.pid), { flag: 'wx' });
      return () => fs.rm(file, { force: true });
    } catch (error) {
      if (!isExists(error)) throw new ToolUnavailable(`${tool.name} ${tool.version}`, oneLine(error), tool.repair);
    }
    const owner = Number(await readTextIfThere(file));
    if (Number.isInteger(owner) && owner > 0 && !isAlive(owner)) {
      await fs.rm(file, { force: true });
      continue;
    }
    if (Date.now() > deadline)
      throw new ToolUnavailable(
        `${tool.name} ${tool.version}`,
        `process ${owner} has been making it for too long`,
        `end that process, or remove ${file}`,
      );
    if (!told) say(`waiting for ${tool.name} ${tool.version}, which process ${owner} is obtaining`);
    told = true;
    await sleep(200);
  }
}

async function isProgram(file: string): Promise<boolean> {
  try {
    await fs.access(file, fs.constants.X_OK);
    return (await fs.stat(file)).isFile();
  } catch (error) {
    if (isNotFound(error) || isCode(error, 'EACCES')) return false;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isCode(error, 'EPERM');
  }
}

const isCode = (error: unknown, code: string): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === code;
const isExists = (error: unknown): boolean => isCode(error, 'EEXIST');
export const oneLine = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? '';
