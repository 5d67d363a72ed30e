import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../test/kit/until';
import { startKubernetes, type KubernetesServer } from '../kubernetes-server';
import { KubeError, kubeFromFile, resources, type Kube } from './index';

const configMap = (name: string, data: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default' },
  data,
});

describe('platform/kube against a real API server', () => {
  let dir: string;
  let server: KubernetesServer;
  let kube: Kube;
  beforeAll(async () => {
    dir = await fs.mkdtemp(join(tmpdir(), 'mw-kube-'));
    server = await startKubernetes({ dir, controllers: false });
    kube = await kubeFromFile(server.kubeconfig);
  }, 1_800_000);
  afterAll(async () => {
    await server?.stop();
    await fs.rm(dir, { recursive: true, force: true });
  });

  test('creates, applies, patches, replaces and removes, with conflicts and dry runs as the server has them', async () => {
    const made = await kube.create(resources.configMaps, configMap('a', { k: '1' }));
    expect(await kube.get(resources.configMaps, { namespace: 'default', name: 'a' })).toEqual(made);
    await expect(kube.create(resources.configMaps, configMap('a', {}))).rejects.toMatchObject({ status: 409, reason: 'AlreadyExists' });
    const dry = await kube.apply(resources.configMaps, configMap('b', { k: 'x' }), { fieldManager: 'test', dryRun: true });
    expect(dry['data']).toEqual({ k: 'x' });
    expect(await kube.get(resources.configMaps, { namespace: 'default', name: 'b' })).toBeNull();
    await kube.apply(resources.configMaps, configMap('b', { k: 'x' }), { fieldManager: 'test' });
    await expect(kube.apply(resources.configMaps, configMap('b', { k: 'y' }), { fieldManager: 'other' })).rejects.toMatchObject({
      status: 409,
    });
    await kube.apply(resources.configMaps, configMap('b', { k: 'y' }), { fieldManager: 'other', force: true });
    const patched = await kube.patch(resources.configMaps, { namespace: 'default', name: 'a' }, { data: { m: '2' } }, { type: 'merge' });
    expect(patched['data']).toEqual({ k: '1', m: '2' });
    await expect(kube.replace(resources.configMaps, made)).rejects.toMatchObject({ status: 409, reason: 'Conflict' });
    const { items } = await kube.list(resources.configMaps, { namespace: 'default', fieldSelector: 'metadata.name=a' });
    expect(items.map(({ metadata }) => metadata.name)).toEqual(['a']);
    await expect(kube.remove(resources.configMaps, { namespace: 'default', name: 'a' }, { uid: 'other' })).rejects.toBeInstanceOf(
      KubeError,
    );
    expect(await kube.remove(resources.configMaps, { namespace: 'default', name: 'a' })).toBe(true);
    expect(await kube.remove(resources.configMaps, { namespace: 'default', name: 'a' })).toBe(false);
  });

  test('a list of many comes whole, by pages', async () => {
    const names = Array.from({ length: 620 }, (_, index) => `many-${index}`);
    for (let at = 0; at < names.length; at += 40)
      await Promise.all(names.slice(at, at + 40).map((name) => kube.create(resources.configMaps, configMap(name, {}))));
    const { items } = await kube.list(resources.configMaps, { namespace: 'default' });
    expect(items.filter(({ metadata }) => metadata.name.startsWith('many-')).length).toBe(620);
  });

  test('groups of an impersonated user are sent, and what is forbidden says so', async () => {
    const other = await kubeFromFile(await server.kubeconfigFor('ann', ['books', 'reading']));
    const answer = await other.post('/apis/authentication.k8s.io/v1/selfsubjectreviews', {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'SelfSubjectReview',
    });
    expect(answer).toMatchObject({ status: { userInfo: { username: 'ann', groups: expect.arrayContaining(['books', 'reading']) } } });
    await expect(other.list(resources.secrets)).rejects.toMatchObject({ status: 403, reason: 'Forbidden' });
  });

  test('what is followed stays known while the server is away, and is right again after it came back', async () => {
    let changes = 0;
    const troubles: string[] = [];
    const follower = kube.follow(
      resources.configMaps,
      { namespace: 'default', labelSelector: 'seen=yes', onTrouble: (error) => troubles.push(error.message) },
      () => void (changes += 1),
    );
    await follower.synced;
    const labelled = (name: string) => ({
      ...configMap(name, { k: '1' }),
      metadata: { name, namespace: 'default', labels: { seen: 'yes' } },
    });
    await kube.create(resources.configMaps, labelled('f1'));
    await kube.create(resources.configMaps, labelled('f2'));
    await until('both are known', () => follower.items().size === 2);
    await kube.remove(resources.configMaps, { namespace: 'default', name: 'f1' });
    await until('one is gone', () => follower.items().size === 1);
    expect([...follower.items().keys()]).toEqual(['default/f2']);
    const before = changes;
    await server.restart();
    await until('it says that the server is away', () => troubles.length > 0);
    expect(follower.items().size).toBe(1);
    await kube.create(resources.configMaps, labelled('f3'));
    await until('what came since is known', () => follower.items().size === 2 && !follower.isStale());
    expect(changes).toBeGreaterThan(before);
    follower.close();
    await kube.create(resources.configMaps, labelled('f4'));
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(follower.items().size).toBe(2);
  });

  test('no server: one clear line', async () => {
    const file = join(dir, 'nowhere.kubeconfig');
    await fs.writeFile(file, (await fs.readFile(server.kubeconfig, 'utf8')).replace(/127\.0\.0\.1:\d+/, '127.0.0.1:1'));
    const away = await kubeFromFile(file);
    await expect(away.list(resources.pods)).rejects.toMatchObject({
      status: 0,
      message: expect.stringContaining('https://127.0.0.1:1 does not answer'),
    });
  });
});
