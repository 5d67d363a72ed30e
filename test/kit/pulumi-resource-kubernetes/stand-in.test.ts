/** That the stand-in has the vendor's traps: what it would be too kind about, a test of the product would not see. */
import type { Json, JsonObject } from '../../../core/lib/json';
import { KubeError, type Kube } from '../../../platform/kube';
import { cluster } from './api';
import { changesBetween, checkpoint, pruned } from './checkpoint';
import { kubernetesProvider, PartialError, type Operation } from './provider';
import { conditionOf } from './waiting';

const apiVersion = 'meshwright.dev/v1alpha1';
const object = (spec: Json, name = 'a', annotations: JsonObject = {}): JsonObject => ({
  apiVersion,
  kind: 'Release',
  metadata: { namespace: 'shop', name, annotations },
  spec,
});
const operation = (preview: boolean): Operation => ({
  preview,
  timeoutSeconds: 1,
  signal: new AbortController().signal,
  tell: { say: () => undefined, warn: () => undefined, show: () => undefined },
});
/** An API that answers every write with this. */
const refusing = (error: KubeError): Kube =>
  ({
    request: async (method: string) => {
      if (method === 'GET') return { resources: [{ name: 'releases', kind: 'Release', namespaced: true }] };
      throw error;
    },
    apply: async () => Promise.reject(error),
    get: async () => object({}),
  }) as unknown as Kube; // the methods that a write uses
const providerOf = (error: KubeError, upsert = true) =>
  kubernetesProvider(
    async () => cluster(refusing(error)),
    () => ({ upsert }),
  );

describe('previews', () => {
  const namespaceMissing = new KubeError(404, 'NotFound', 'namespaces "shop" not found', { details: { kind: 'namespaces' } });
  test.each([
    ['Forbidden', new KubeError(403, 'Forbidden', 'no'), true],
    ['a missing namespace', namespaceMissing, true],
    ['AlreadyExists', new KubeError(409, 'AlreadyExists', 'there'), false],
  ])('%s passes for success, and fails the update', async (_what, error, upsert) => {
    const provider = providerOf(error, upsert);
    expect(await provider.create(object({ a: 1 }), operation(true))).toEqual({ id: '', state: object({ a: 1 }) });
    await expect(provider.create(object({ a: 1 }), operation(false))).rejects.toThrow('was not successfully created');
  });

  test('any other refusal fails the preview', async () => {
    const provider = providerOf(new KubeError(422, 'Invalid', 'MW8001: no'));
    await expect(provider.create(object({}), operation(true))).rejects.toThrow('MW8001: no');
    await expect(provider.update(checkpoint(object({}), object({}), 'm'), object({ a: 1 }), operation(true))).rejects.toThrow(PartialError);
  });

  test('a cluster that is away passes for success', async () => {
    const provider = kubernetesProvider(
      async () => ({ unreachable: 'away' }),
      () => ({ upsert: true }),
    );
    expect((await provider.create(object({}), operation(true))).id).toBe('');
    await expect(provider.create(object({}), operation(false))).rejects.toThrow('unreachable');
  });
});

describe('differences', () => {
  const { diff } = providerOf(new KubeError(500, 'x', 'x'));
  const inState = (inputs: JsonObject, live: JsonObject): JsonObject => checkpoint(inputs, live, 'm');

  test('what the server filled in is none; what it rewrote shows for ever, and so does null', () => {
    const filled = { ...object({ a: '1s', more: true }), status: {} };
    expect(diff(inState(object({ a: '1s' }), filled), object({ a: '1s' }), []).changes).toEqual([]);
    expect(diff(inState(object({ a: '60s' }), object({ a: '1m' })), object({ a: '60s' }), []).changes).toEqual([
      { path: 'spec.a', kind: 'update' },
    ]);
    expect(changesBetween(object({}), object({ a: null }))).toEqual([{ path: 'spec.a', kind: 'delete' }]);
  });

  test('another name is another object, and what is ignored is no difference', () => {
    const moved = diff(inState(object({}), object({})), object({}, 'b'), []);
    expect(moved).toMatchObject({ replaces: ['metadata.name'], deleteBeforeReplace: false });
    expect(diff(inState(object({ a: 1 }), object({ a: 1 })), object({ a: 2 }), ['spec']).changes).toEqual([]);
    expect(pruned({ list: [1, 2, 3] }, { list: [1, 2] })).toEqual({ list: [1, 2] });
  });
});

describe('waiting', () => {
  const waits = (waitFor: string, status: JsonObject): boolean | undefined => {
    const live = { ...object({}, 'a', { 'pulumi.com/waitFor': waitFor }), status };
    return conditionOf(live, live)?.holds(live);
  };
  test('a JSONPath with its value, a condition, and a list of both', () => {
    expect(waits('jsonpath={.status.converged}=sha256:1', { converged: 'sha256:1' })).toBe(true);
    expect(waits('jsonpath={.status.converged}=sha256:1', { converged: 'sha256:0' })).toBe(false);
    const conditions = [{ type: 'Ready', status: 'True' }];
    expect(waits('["condition=Ready","jsonpath={.status.conditions[0].status}"]', { conditions })).toBe(true);
    expect(waits('["condition=Ready","jsonpath={.status.none}"]', { conditions })).toBe(false);
    expect(() => waits('ready', {})).toThrow('prefix');
  });
});
