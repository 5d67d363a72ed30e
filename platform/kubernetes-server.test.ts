import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../test/kit/until';
import { startKubernetes, type KubernetesServer } from './kubernetes-server';

describe('a real Kubernetes API server', () => {
  let dir: string;
  let server: KubernetesServer;
  beforeAll(async () => {
    dir = await fs.mkdtemp(join(tmpdir(), 'mw-k8s-'));
    server = await startKubernetes({ dir });
  }, 1_800_000);
  afterAll(async () => {
    await server?.stop();
    await fs.rm(dir, { recursive: true, force: true });
  });

  test('its controllers work, others are who they say, and what was written survives a kill', async () => {
    expect((await server.kubectl(['create', 'namespace', 'books'])).code).toBe(0);
    const account = ['-n', 'books', 'get', 'serviceaccount', 'default', '-o', 'name'];
    await until('it has its account', async () => (await server.kubectl(account)).stdout.trim() === 'serviceaccount/default');
    const kubeconfig = await server.kubeconfigFor('ann', ['books-team']);
    const whoami = JSON.parse((await server.kubectl(['auth', 'whoami', '-o', 'json'], { kubeconfig })).stdout);
    expect(whoami.status.userInfo).toMatchObject({ username: 'ann', groups: expect.arrayContaining(['books-team']) });
    const denied = await server.kubectl(['get', 'secrets', '-A'], { kubeconfig });
    expect(denied.stderr).toContain('cannot list resource "secrets"');
    await server.restart();
    expect((await server.kubectl(['get', 'namespace', 'books', '-o', 'name'])).stdout.trim()).toBe('namespace/books');
    expect((await server.kubectl(['version', '-o', 'json'])).stdout).toContain('"v1.34.4"');
  });
});
