/** `pulumi-language-nodejs`, stood in for (see README.md): runs a Node program for the engine with the vendor's own runner. */
import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { createRequire } from 'node:module';
import * as path from 'node:path';
import type { sendUnaryData, ServerUnaryCall, ServerWritableStream } from '@grpc/grpc-js';
import { LanguageRuntimeService } from '@pulumi/pulumi/proto/language_grpc_pb';
import * as proto from '@pulumi/pulumi/proto/language_pb';
import { PackageDependency, PluginInfo } from '@pulumi/pulumi/proto/plugin_pb';
import { Empty } from 'google-protobuf/google/protobuf/empty_pb';
import { engineAddress } from '../../../deploy/provider/main';
import { servePlugin } from '../pulumi-plugin';

/** The runner's exit code for a failure that it has already told of. */
const toldAlready = 32;

async function serve(args: readonly string[]): Promise<void> {
  const engine = engineAddress(args) ?? '';
  const running = new Set<ChildProcess>();
  const unary =
    <Request, Response>(handler: (request: Request) => Promise<Response>) =>
    (call: ServerUnaryCall<Request, Response>, answer: sendUnaryData<Response>): void => {
      handler(call.request).then(
        (response) => answer(null, response),
        (error: unknown) => answer({ details: error instanceof Error ? error.message : String(error) }),
      );
    };
  await servePlugin(LanguageRuntimeService, {
    getPluginInfo: unary(async (_request: Empty) => {
      const info = new PluginInfo();
      info.setVersion('3.245.0');
      return info;
    }),
    getRequiredPackages: unary(async (request: proto.GetRequiredPackagesRequest) => {
      const response = new proto.GetRequiredPackagesResponse();
      const folder = request.getInfo()?.getProgramDirectory() ?? '';
      response.setPackagesList(await requiredPackages(folder));
      return response;
    }),
    getProgramDependencies: unary(async (_request: proto.GetProgramDependenciesRequest) => new proto.GetProgramDependenciesResponse()),
    runtimeOptionsPrompts: unary(async (_request: proto.RuntimeOptionsRequest) => new proto.RuntimeOptionsResponse()),
    about: unary(async (_request: proto.AboutRequest) => {
      const response = new proto.AboutResponse();
      response.setExecutable(process.execPath);
      response.setVersion(process.version);
      return response;
    }),
    /** Nothing is installed here: the program's node_modules are its own affair. */
    installDependencies: (call: ServerWritableStream<proto.InstallDependenciesRequest, proto.InstallDependenciesResponse>) => call.end(),
    run: unary(async (request: proto.RunRequest) => run(request, engine, running)),
    cancel: unary(async (_request: Empty) => {
      for (const child of running) child.kill('SIGINT');
      return new Empty();
    }),
  });
}

/** Of the program's dependencies, those that are Pulumi packages with a plugin. */
async function requiredPackages(folder: string): Promise<PackageDependency[]> {
  const found: PackageDependency[] = [];
  const root = await readJson(await nearest(folder, 'package.json'));
  for (const name of Object.keys(root['dependencies'] ?? {})) {
    const file = await nearest(folder, path.join('node_modules', name, 'package.json'));
    const { pulumi, version } = file === '' ? {} : await readJson(file);
    if (!pulumi?.['resource']) continue;
    const dependency = new PackageDependency();
    dependency.setName(String(pulumi['name'] ?? name.split('/').at(-1)));
    dependency.setKind('resource');
    dependency.setVersion(`v${String(pulumi['version'] ?? version)}`);
    found.push(dependency);
  }
  return found;
}

interface PackageJson {
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly pulumi?: Readonly<Record<string, unknown>>;
}
async function readJson(file: string): Promise<PackageJson> {
  if (file === '') return {};
  return JSON.parse(await fs.readFile(file, 'utf8')) as PackageJson; // npm's own form
}

/** The file in the folder or the nearest one above it; empty when there is none. */
async function nearest(folder: string, name: string): Promise<string> {
  for (let here = folder; ; here = path.dirname(here)) {
    const file = path.join(here, name);
    const there = await fs.access(file).then(
      () => true,
      () => false,
    );
    if (there) return file;
    if (here === path.dirname(here)) return '';
  }
}

async function run(request: proto.RunRequest, engine: string, running: Set<ChildProcess>): Promise<proto.RunResponse> {
  const info = request.getInfo();
  const folder = info?.getProgramDirectory() || request.getPwd();
  const entry = info?.getEntryPoint() || request.getProgram() || '.';
  const runner = createRequire(path.join(folder, 'index.js')).resolve('@pulumi/pulumi/cmd/run');
  const flag = (name: string, value: string): string[] => (value === '' ? [] : [`--${name}`, value]);
  const args = [
    runner,
    ...flag('monitor', request.getMonitorAddress()),
    ...flag('engine', engine),
    ...flag('organization', request.getOrganization()),
    ...flag('project', request.getProject()),
    ...flag('root-directory', info?.getRootDirectory() ?? ''),
    ...flag('stack', request.getStack()),
    ...flag('pwd', request.getPwd()),
    ...(request.getDryrun() ? ['--dry-run'] : []),
    ...flag('parallel', String(request.getParallel())),
    entry,
    ...request.getArgsList(),
  ];
  const config: Record<string, string> = {};
  request.getConfigMap().forEach((value, key) => void (config[key] = value));
  const child = spawn(process.execPath, args, {
    cwd: request.getPwd() || folder,
    env: {
      ...process.env,
      PULUMI_CONFIG: JSON.stringify(config),
      PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
      PULUMI_NODEJS_TYPESCRIPT: 'false',
    },
    // stdout is the handshake's: what the program prints goes where the engine shows it
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  running.add(child);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  }).finally(() => running.delete(child));
  const response = new proto.RunResponse();
  if (code === toldAlready) response.setBail(true);
  else if (code !== 0) response.setError(`Program exited with non-zero exit code: ${code ?? 'killed'}`);
  return response;
}

serve(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`pulumi-language-nodejs: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
