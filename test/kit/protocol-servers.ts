/** Real servers of the named protocols, each in a process of its own on loopback; ready when they take a connection. */
import type { ChildProcess } from 'node:child_process';
import * as fs from 'node:fs/promises';
import * as net from 'node:net';
import * as path from 'node:path';
import { temporaryFolder } from '../../platform/files';
import { runCommand, spawnGroup, stopGroup } from '../../platform/process';
import { obtainKafka, obtainMariadb, obtainMongo, obtainPostgres, obtainQpid, obtainValkey } from '../../platform/tools/test-servers';
import type { Address } from '../../runtime-proxy/inventory';

export interface ProtocolServer {
  stop(): Promise<void>;
}
interface Started {
  readonly program: string;
  readonly args: readonly string[];
  readonly as?: { readonly uid: number; readonly gid: number };
}

/** How long preparing may take, and starting: a busy machine's time, in milliseconds. */
const limitMs = 180_000;
/** A server of somebody else's that ends before it listens is started afresh: so often in all. */
const attempts = 3;

async function start(name: string, at: Address, prepare: (folder: string) => Promise<Started>): Promise<ProtocolServer> {
  const failures: string[] = [];
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    try {
      return await startOnce(name, at, prepare);
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
      if (!(error instanceof EndedEarly)) break;
    }
  }
  throw new Error(`${name}: ${failures.join('\n')}`);
}

class EndedEarly extends Error {}

async function startOnce(name: string, at: Address, prepare: (folder: string) => Promise<Started>): Promise<ProtocolServer> {
  const folder = await temporaryFolder(`server-${name}`);
  try {
    const { program, args, as = {} } = await prepare(folder);
    const child = spawnGroup(program, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], ...as });
    const said: string[] = [];
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => said.push(chunk.toString()));
    const state = await listening(child, at, performance.now() + limitMs);
    const stop = async (): Promise<void> => {
      await stopGroup(child, { graceMs: 3_000 });
      await fs.rm(folder, { recursive: true, force: true });
    };
    if (state === 'open') return { stop };
    await stop();
    const why = `${state === 'ended' ? `it ended with ${child.exitCode ?? child.signalCode}` : 'time is up'}\n${said.join('').slice(-2_000)}`;
    throw state === 'ended' ? new EndedEarly(why) : new Error(why);
  } catch (error) {
    await fs.rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function listening(child: ChildProcess, { host, port }: Address, deadline: number): Promise<'open' | 'ended' | 'late'> {
  while (performance.now() < deadline) {
    if (child.exitCode !== null || child.signalCode !== null) return 'ended';
    const open = await new Promise<boolean>((resolve) => {
      const socket = net.connect(port, host, () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
    if (open) return 'open';
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return 'late';
}

async function must(program: string, args: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await runCommand(program, args, { timeoutMs: limitMs });
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${`${stdout}\n${stderr}`.trim().slice(-500)}`);
}

export const startRedis = (at: Address): Promise<ProtocolServer> =>
  start('redis', at, async () => ({
    program: await obtainValkey(),
    args: ['--port', String(at.port), '--bind', at.host, '--save', '', '--appendonly', 'no'],
  }));

export const startPostgres = (at: Address): Promise<ProtocolServer> =>
  start('postgres', at, async (folder) => {
    const program = await obtainPostgres();
    // postgres does not run as root; then it runs as nobody, from a copy that nobody may read
    const isRoot = process.getuid?.() === 0;
    if (!isRoot) {
      await must(path.join(path.dirname(program), 'initdb'), [
        '-D',
        path.join(folder, 'data'),
        '-A',
        'trust',
        '-U',
        'postgres',
        '--no-sync',
      ]);
      return { program, args: postgresArgs(folder, at) };
    }
    const nobody = 65_534;
    const install = path.join(folder, 'install');
    await fs.cp(path.join(path.dirname(program), '..', '..', '..'), install, { recursive: true });
    await must('chmod', ['-R', 'a+rX', folder]);
    await must('chown', [`${nobody}:${nobody}`, folder]);
    const own = path.join(install, 'embedded_postgres', 'pginstall', 'bin');
    const initdb = ['-D', path.join(folder, 'data'), '-A', 'trust', '-U', 'postgres', '--no-sync'];
    await must('setpriv', [`--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', path.join(own, 'initdb'), ...initdb]);
    return { program: path.join(own, 'postgres'), args: postgresArgs(folder, at), as: { uid: nobody, gid: nobody } };
  });
const postgresArgs = (folder: string, at: Address): readonly string[] => [
  ...['-D', path.join(folder, 'data'), '-p', String(at.port), '-h', at.host, '-k', folder],
  ...['-c', 'fsync=off'],
];

export const startMysql = (at: Address): Promise<ProtocolServer> =>
  start('mysql', at, async (folder) => {
    const program = await obtainMariadb();
    const root = path.join(path.dirname(program), '..');
    const common = ['--no-defaults', `--basedir=${root}`, `--datadir=${path.join(folder, 'data')}`, '--user=root'];
    const asUser = process.getuid?.() === 0 ? common : common.slice(0, -1);
    await must(path.join(root, 'scripts', 'mariadb-install-db'), [
      ...asUser,
      ...['--auth-root-authentication-method=normal', '--skip-test-db', '--force'],
    ]);
    return {
      program,
      args: [
        ...asUser,
        `--bind-address=${at.host}`,
        `--port=${at.port}`,
        `--socket=${path.join(folder, 's')}`,
        '--skip-ssl', // or it makes a key first, which takes a minute of a busy machine
        '--innodb-buffer-pool-size=16M',
        '--innodb-flush-log-at-trx-commit=0',
      ],
    };
  });

export const startMongo = (at: Address): Promise<ProtocolServer> =>
  start('mongo', at, async (folder) => {
    // its own program listens on one fixed port
    const main = path.join(folder, 'Main.java');
    const store = 'new de.bwaldvogel.mongo.backend.memory.MemoryBackend().version(de.bwaldvogel.mongo.ServerVersion.MONGO_5_0)';
    const bind = `new de.bwaldvogel.mongo.MongoServer(${store}).bind("${at.host}", ${at.port});`;
    await fs.writeFile(main, `public class Main { public static void main(String[] a) { ${bind} } }`);
    return { program: await obtainMongo(), args: ['-Xmx128m', main] };
  });

export const startAmqp = (at: Address): Promise<ProtocolServer> =>
  start('amqp', at, async (folder) => {
    const config = {
      name: 'broker',
      modelVersion: '9.0',
      authenticationproviders: [
        { name: 'users', type: 'Plain', secureOnlyMechanisms: [], users: [{ name: 'guest', type: 'managed', password: 'guest' }] },
      ],
      ports: [
        {
          name: 'amqp',
          port: String(at.port),
          bindingAddress: at.host,
          authenticationProvider: 'users',
          protocols: ['AMQP_0_9_1'],
          virtualhostaliases: [{ name: 'names', type: 'nameAlias' }],
        },
      ],
      virtualhostnodes: [
        { name: 'default', type: 'Memory', defaultVirtualHostNode: 'true', virtualHostInitialConfiguration: '{"type":"Memory"}' },
      ],
    };
    await fs.writeFile(path.join(folder, 'config.json'), JSON.stringify(config));
    const args = ['org.apache.qpid.server.Main', '-icp', path.join(folder, 'config.json'), '-st', 'Memory'];
    return { program: await obtainQpid(), args: ['-Xmx128m', `-DQPID_WORK=${folder}`, ...args] };
  });

/** One broker of a cluster whose first one is its controller too. `advertised` is what it tells clients to dial it by. */
export const startKafka = (broker: {
  readonly id: number;
  readonly at: Address;
  readonly controller: Address;
  readonly advertised: Address;
}): Promise<ProtocolServer> =>
  start('kafka', broker.at, async (folder) => {
    const { id, at, controller, advertised } = broker;
    const properties = [
      `process.roles=${id === 0 ? 'broker,controller' : 'broker'}`,
      `node.id=${id}`,
      `controller.quorum.voters=0@${controller.host}:${controller.port}`,
      `listeners=PLAINTEXT://${at.host}:${at.port}${id === 0 ? `,CONTROLLER://${controller.host}:${controller.port}` : ''}`,
      `advertised.listeners=PLAINTEXT://${advertised.host}:${advertised.port}`,
      'controller.listener.names=CONTROLLER',
      `log.dirs=${path.join(folder, 'data')}`,
      'offsets.topic.replication.factor=1',
      'offsets.topic.num.partitions=2',
      'group.initial.rebalance.delay.ms=0',
      'broker.session.timeout.ms=180000', // one that stands still for a while is not gone
    ];
    const file = path.join(folder, 'server.properties');
    await fs.writeFile(file, properties.join('\n'));
    const program = await obtainKafka();
    await must(program, ['-Xmx64m', 'kafka.tools.StorageTool', 'format', '-t', 'MkU3OEVBNTcwNTJENDM2Qg', '-c', file]);
    const logged = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn';
    return { program, args: ['-Xmx192m', '-XX:TieredStopAtLevel=1', logged, 'kafka.Kafka', file] };
  });
