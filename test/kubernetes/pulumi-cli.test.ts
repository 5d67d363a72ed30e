/** `pulumi` by hand on the repository's own Pulumi.yaml: the real CLI, the program in the vendor's runner, a real API server; both plugins are stood in for (test/kit). */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { Bundle } from '../../core/bundle/bundle';
import { apiVersion, type MeshObject } from '../../core/bundle/objects';
import { writeBundleFolder } from '../../platform/bundle-folder';
import { resources } from '../../platform/kube';
import { runCommand, type CommandResult } from '../../platform/process';
import { startAdminApi } from '../kit/admin-api';
import { fakeControlPlane, type FakeControlPlane } from '../kit/fake-control-plane';
import { startPulumiCluster, type PulumiCluster } from '../kit/pulumi-cluster';
import { newTestSigner, signTestBundle, testRelease, testReleaseAfter, type TestSigner } from '../kit/signing';

jest.setTimeout(1_800_000);

const rules = (value: string): MeshObject => ({
  apiVersion,
  kind: 'AdmissionRules',
  metadata: { namespace: 'meshwright', name: 'rules' },
  spec: { environment: 'prod', trustDomain: `${value}.example`, namespaces: ['shop'], deploys: [] },
});

describe('pulumi by hand', () => {
  let cluster: PulumiCluster;
  let plane: FakeControlPlane;
  let signer: TestSigner;
  const root = path.resolve(__dirname, '..', '..');

  beforeAll(async () => {
    cluster = await startPulumiCluster();
    plane = fakeControlPlane(cluster.kube);
    signer = await newTestSigner();
    // The repository as a user has it; what the CLI writes beside Pulumi.yaml is not written into the source tree.
    const project = path.join(cluster.folder, 'project');
    await fs.mkdir(project);
    await fs.copyFile(path.join(root, 'Pulumi.yaml'), path.join(project, 'Pulumi.yaml'));
    for (const name of ['dist', 'deploy', 'package.json', 'node_modules'])
      await fs.symlink(path.join(root, name), path.join(project, name));
  }, 20 * 60_000);
  afterAll(async () => {
    plane?.close();
    await cluster?.close();
  });

  const pulumi = async (stack: string, ...args: readonly string[]): Promise<CommandResult> => {
    const at = (name: string): string => path.join(cluster.folder, name);
    await fs.mkdir(at('backend'), { recursive: true });
    return runCommand(cluster.cli, [...args, '--stack', stack, '--non-interactive'], {
      cwd: at('project'),
      timeoutMs: 600_000, // against hanging
      env: {
        PATH: process.env['PATH'],
        HOME: cluster.folder,
        KUBECONFIG: cluster.server.kubeconfig,
        PULUMI_HOME: at('home'),
        PULUMI_BACKEND_URL: `file://${at('backend')}`,
        PULUMI_CONFIG_PASSPHRASE: 'words',
        PULUMI_SKIP_UPDATE_CHECK: 'true',
        PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: 'true',
        NO_COLOR: '1',
      },
    });
  };
  const ok = async (stack: string, ...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await pulumi(stack, ...args);
    expect({ args, code, output: code === 0 ? '' : `${stdout}\n${stderr}` }).toEqual({ args, code: 0, output: '' });
    return stdout;
  };
  const writeBundle = async (name: string, bundle: Bundle): Promise<string> => {
    const folder = path.join(cluster.folder, name);
    await writeBundleFolder(folder, bundle);
    return folder;
  };

  test('a cluster: preview, up, empty preview, refresh, the next release, destroy', async () => {
    const one = testRelease([rules('one')]);
    const first = await signTestBundle(signer, one, [rules('one')]);
    await ok('cluster', 'stack', 'init');
    await ok('cluster', 'config', 'set', 'meshwright:target', 'kubernetes');
    await ok('cluster', 'config', 'set', 'meshwright:bundle', await writeBundle('first', first));
    const planned = await ok('cluster', 'preview');
    expect(planned).toMatch(/\+ .*kubernetes:meshwright\.dev\/v1alpha1:AdmissionRules/);
    expect((await cluster.kube.list(resources.admissionRules)).items).toEqual([]);

    await ok('cluster', 'up', '--yes', '--skip-preview');
    expect(plane.taken).toEqual([first.release.digest]);
    await ok('cluster', 'preview', '--expect-no-changes');
    await ok('cluster', 'refresh', '--yes');
    await ok('cluster', 'preview', '--expect-no-changes');

    const two = testReleaseAfter(one, [rules('two')]);
    const second = await signTestBundle(signer, two, [rules('two')]);
    await ok('cluster', 'config', 'set', 'meshwright:bundle', await writeBundle('second', second));
    await ok('cluster', 'up', '--yes', '--skip-preview');
    expect((await cluster.kube.list(resources.admissionRules)).items).toHaveLength(2);
    await ok('cluster', 'preview', '--expect-no-changes');

    const state = await ok('cluster', 'stack', 'export');
    expect(state).not.toContain('certificate-authority');
    await ok('cluster', 'destroy', '--yes', '--skip-preview');
    expect((await cluster.kube.list(resources.admissionRules)).items).toEqual([]);
    expect((await cluster.kube.list(resources.releases)).items).toEqual([]);
  });

  test('a control plane without Kubernetes: the same program by the other target', async () => {
    const api = await startAdminApi(cluster.folder);
    try {
      const bundle = await signTestBundle(signer, testRelease([rules('one')]), [rules('one')]);
      await ok('universal', 'stack', 'init');
      await ok('universal', 'config', 'set', 'meshwright:bundle', await writeBundle('universal', bundle));
      await ok('universal', 'config', 'set', 'meshwright:adminUrl', api.url);
      await ok('universal', 'config', 'set', 'meshwright:tokenFile', api.tokenFile, '--plaintext');
      await ok('universal', 'up', '--yes', '--skip-preview');
      expect(api.release?.digest).toBe(bundle.release.digest);
      await ok('universal', 'preview', '--expect-no-changes');
    } finally {
      await api.close();
    }
  });

  test('a bundle that the cluster would refuse fails the preview by name', async () => {
    const late = testRelease([{ ...rules('x'), metadata: { namespace: 'nowhere', name: 'rules' } }]);
    const bundle = await signTestBundle(signer, late, [{ ...rules('x'), metadata: { namespace: 'nowhere', name: 'rules' } }]);
    await ok('refused', 'stack', 'init');
    await ok('refused', 'config', 'set', 'meshwright:target', 'kubernetes');
    await ok('refused', 'config', 'set', 'meshwright:bundle', await writeBundle('refused', bundle));
    const { code, stdout } = await pulumi('refused', 'preview');
    expect(code).not.toBe(0);
    expect(stdout).toContain('MW7022: the cluster has no namespace `nowhere`');
  });
});
