/**
 * Network namespaces for a test: machines of their own, joined by a bridge, each with one address. Linux, root and `ip` (iproute2) are needed, and `nft`
 * for what is captured; `whyNoNamespaces` says what is missing.
 */
import type { ChildProcess } from 'node:child_process';
import { readTextIfThere } from '../../platform/files';
import { runCommand, spawnGroup, stopGroup } from '../../platform/process';

export interface Namespaces {
  /** This side of the bridge: where the test itself listens for them. */
  readonly host: string;
  addressOf(name: string): string;
  /** Runs a program to its end inside; by default as root, with `gid` as that group. */
  run(
    name: string,
    command: readonly string[],
    options?: Inside,
  ): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;
  /** Starts a program inside; ended by `close`. */
  start(name: string, command: readonly string[], options?: Inside): ChildProcess;
  close(): Promise<void>;
}
export interface Inside {
  readonly gid?: number;
  readonly uid?: number;
  readonly timeoutMs?: number;
}

/** null when namespaces can be made here; else why not, and what to do, in one line. */
export async function whyNoNamespaces(): Promise<string | null> {
  if (process.platform !== 'linux') return `network namespaces are Linux's, and this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'only root makes network namespaces: run this suite as root';
  if ((await readTextIfThere('/proc/sys/net/ipv6/conf/all/disable_ipv6'))?.trim() !== '0')
    return 'this kernel has no IPv6, or it is switched off';
  const probe = `mw-probe-${process.pid}`;
  const made = await runCommand('ip', ['netns', 'add', probe]).catch(() => null);
  if (made === null) return 'there is no `ip`: install iproute2';
  if (made.code !== 0) return `\`ip netns add\` failed: ${made.stderr.trim()}`;
  try {
    const bridge = await ip('-n', probe, 'link', 'add', 'b0', 'type', 'bridge');
    return bridge === null ? null : `this kernel makes no bridges: ${bridge}`;
  } finally {
    await ip('netns', 'del', probe);
  }
}

/** Makes one namespace for each name, at .2 and on of a network that no process near this one has; the host is .1, and their way to everywhere. */
export async function openNamespaces(names: readonly string[]): Promise<Namespaces> {
  const own = `10.${200 + (Math.floor(process.pid / 256) % 32)}.${process.pid % 256}`;
  const bridge = `mwb${process.pid}`;
  const host = `${own}.1`;
  const full = (name: string): string => `mw${process.pid}-${name}`;
  const addresses = new Map(names.map((name, index) => [name, `${own}.${index + 2}`]));
  const addressOf = (name: string): string => {
    const address = addresses.get(name);
    if (address === undefined) throw new Error(`no namespace ${name}`);
    return address;
  };
  const children: ChildProcess[] = [];
  const inside = (name: string, command: readonly string[], { gid, uid }: Inside = {}): readonly string[] => [
    ...['netns', 'exec', full(name)],
    ...(gid === undefined && uid === undefined
      ? []
      : [
          'setpriv',
          '--clear-groups',
          ...(gid === undefined ? [] : ['--regid', String(gid)]),
          ...(uid === undefined ? [] : ['--reuid', String(uid)]),
        ]),
    ...command,
  ];
  const close = async (): Promise<void> => {
    await Promise.all(children.map((child) => stopGroup(child, { graceMs: 4_000 })));
    // the link first: a namespace that some process has not left yet would keep it
    for (const [index, name] of names.entries()) {
      await ip('link', 'del', `mwv${process.pid}-${index}`);
      await ip('netns', 'del', full(name));
    }
    await ip('link', 'del', bridge);
  };
  try {
    await must('link', 'add', bridge, 'type', 'bridge');
    await must('addr', 'add', `${host}/24`, 'dev', bridge);
    await must('link', 'set', bridge, 'up');
    for (const [index, name] of names.entries()) {
      const outside = `mwv${process.pid}-${index}`;
      await must('netns', 'add', full(name));
      await must('link', 'add', outside, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', full(name));
      await must('link', 'set', outside, 'master', bridge, 'up');
      await must('-n', full(name), 'addr', 'add', `${addressOf(name)}/24`, 'dev', 'eth0');
      await must('-n', full(name), 'link', 'set', 'lo', 'up');
      await must('-n', full(name), 'link', 'set', 'eth0', 'up');
      await must('-n', full(name), 'route', 'add', 'default', 'via', host);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    host,
    addressOf,
    run: (name, command, options = {}) => runCommand('ip', inside(name, command, options), { timeoutMs: options.timeoutMs ?? 180_000 }),
    start(name, command, options = {}) {
      const child = spawnGroup('ip', inside(name, command, options), { stdio: ['ignore', 'pipe', 'pipe'] });
      children.push(child);
      return child;
    },
    close,
  };
}

/** null, or what it said. */
async function ip(...args: readonly string[]): Promise<string | null> {
  const { code, stderr } = await runCommand('ip', args, { timeoutMs: 60_000 });
  return code === 0 ? null : stderr.trim();
}
async function must(...args: readonly string[]): Promise<void> {
  const failed = await ip(...args);
  if (failed !== null) throw new Error(`ip ${args.join(' ')}: ${failed}`);
}
