/** A replica of the webhook as it is run: the compiled program, with a configuration file, in a process of its own. */
import type { ChildProcess } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { join, resolve as resolvePath } from 'node:path';
import { signalGroup, spawnGroup, stopGroup } from '../../platform/process';
import type { WebhookConfig } from '../../webhook/config';
import type { BalancedReplica } from './balancer';
import { plainGet } from './plain-get';
import { until } from './until';

export interface WebhookReplica extends BalancedReplica {
  /** Resolves when it says that it is ready. */
  start(): Promise<void>;
  /** SIGTERM; resolves with the exit code when it is gone. */
  stop(): Promise<number | null>;
  /** `kill -9`; resolves when it is gone. */
  kill(): Promise<void>;
  isReady(): Promise<boolean>;
  metric(name: string): Promise<number>;
  /** What it wrote on stderr. */
  log(): string;
}

const program = resolvePath(process.cwd(), 'bin', 'meshwright.js');

export async function webhookReplica(dir: string, name: string, config: WebhookConfig): Promise<WebhookReplica> {
  const file = join(dir, `${name}.json`);
  await fs.writeFile(file, JSON.stringify(config));
  const admin = `http://${config.admin.host}:${config.admin.port}`;
  let child: ChildProcess | null = null;
  let log = '';
  const isReady = (): Promise<boolean> =>
    plainGet(`${admin}/readyz`).then(
      ({ status }) => status === 200,
      () => false,
    );
  const gone = (running: ChildProcess): Promise<number | null> =>
    running.exitCode === null && running.signalCode === null
      ? new Promise((done) => running.once('exit', (code) => done(code)))
      : Promise.resolve(running.exitCode);
  return {
    name,
    port: config.listen.port,
    readyUrl: `${admin}/readyz`,
    async start() {
      const started = spawnGroup(process.execPath, [program, 'serve', 'webhook', '--config', file], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      child = started;
      started.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString('utf8')));
      await until(
        `${name} is ready`,
        () => {
          if (started.exitCode !== null) throw new Error(`${name} has ended: ${log.slice(-2_000)}`);
          return isReady();
        },
        () => log.slice(-2_000),
      );
    },
    async stop() {
      if (child?.pid === undefined) return null;
      signalGroup(child.pid, 'SIGTERM');
      return gone(child);
    },
    async kill() {
      if (child !== null) await stopGroup(child, { signal: 'SIGKILL' });
    },
    isReady,
    async metric(wanted) {
      const { text } = await plainGet(`${admin}/metrics`);
      const line = text.split('\n').find((one) => one.startsWith(`${wanted} `));
      return Number(line?.split(' ')[1] ?? Number.NaN);
    },
    log: () => log,
  };
}
