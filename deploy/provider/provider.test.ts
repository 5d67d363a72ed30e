import { canonicalJson } from '../../core/lib/json';
import { digestOfJson } from '../../core/lib/digest';
import { apiVersion, type SignedObject, type SignedRelease } from '../../core/bundle/objects';
import { systemClock } from '../../platform/clock';
import { testRelease, testReleaseAfter } from '../../test/kit/signing';
import { AdminError, type AdminClient } from '../admin/client';
import { deploy } from '../../core/diagnostics/deploy';
import { engineAddress } from './main';
import { meshObjectType } from './mesh-object';
import { releaseType } from './release';
import { UnfinishedError, type Call } from './resource';

const object: SignedObject = {
  object: { apiVersion, kind: 'AdmissionRules', metadata: { namespace: 'mesh', name: 'rules' }, spec: {} },
  digest: digestOfJson('x'),
  jws: 'a.b.c',
};
const said: string[] = [];
const call = (dryRun = false): Call => ({
  dryRun,
  timeoutMs: 2_000,
  signal: new AbortController().signal,
  say: (line) => said.push(line),
  warn: (line) => said.push(`warning: ${line}`),
  show: () => undefined,
});
/** A client that answers as told and remembers what changed. */
function fakeClient(answers: Partial<AdminClient>): AdminClient & { readonly changes: string[] } {
  const changes: string[] = [];
  const unexpected = (): never => {
    throw new Error('unexpected');
  };
  return {
    changes,
    putObject: async ({ digest }) => void changes.push(`put ${digest}`),
    putRelease: async ({ digest }) => void changes.push(`release ${digest}`),
    hasObject: async () => false,
    deleteObject: async () => 'deleted',
    release: async () => null,
    status: unexpected,
    watch: unexpected,
    ...answers,
  };
}

beforeEach(() => said.splice(0));

describe('MeshObject', () => {
  const inputs = { environment: 'prod', name: 'AdmissionRules/mesh/rules', digest: object.digest, kid: 'k1' };
  const inBundle = { object: async () => object };
  const notInBundle = { object: async () => null };

  test('creating sends it, a dry run does not', async () => {
    const client = fakeClient({});
    const type = meshObjectType(client, inBundle);
    expect(await type.create(inputs, call(true))).toEqual({ id: object.digest, properties: inputs });
    expect(client.changes).toEqual([]);
    await type.create(inputs, call());
    expect(client.changes).toEqual([`put ${object.digest}`]);
  });

  test('one of an earlier release is taken as it is, or named as lost', async () => {
    expect(await meshObjectType(fakeClient({ hasObject: async () => true }), notInBundle).create(inputs, call())).toMatchObject({
      id: object.digest,
    });
    for (const dry of [true, false]) {
      await expect(meshObjectType(fakeClient({}), notInBundle).create(inputs, call(dry))).rejects.toThrow(
        'neither in the bundle nor in the control plane',
      );
    }
  });

  test('it is changed by nothing but a new signing key', () => {
    const { diff } = meshObjectType(fakeClient({}), inBundle);
    const { kid: _, ...withoutKid } = inputs;
    expect(diff(inputs, inputs).kind).toBe('none');
    expect(diff(inputs, withoutKid).kind).toBe('none');
    expect(diff(inputs, { ...inputs, kid: 'k2' })).toEqual({ kind: 'update', changed: [{ path: 'kid', change: 'update' }] });
    expect(diff(inputs, { ...inputs, digest: digestOfJson('y') }).kind).toBe('replace');
  });

  test('one that is gone is read as gone; one in force is left where it is', async () => {
    expect(await meshObjectType(fakeClient({}), inBundle).read(object.digest, inputs, call())).toBeNull();
    await meshObjectType(fakeClient({ deleteObject: async () => 'kept' }), inBundle).delete(object.digest, inputs, call());
    expect(said).toEqual(['AdmissionRules/mesh/rules is still in force and stays in the control plane']);
  });

  test('inputs are checked', () => {
    expect(
      meshObjectType(fakeClient({}), inBundle)
        .check({ environment: 'prod', digest: 'x' })
        .map(({ property }) => property),
    ).toEqual(['name', 'digest']);
  });
});

describe('Release', () => {
  const first = testRelease([object.object]);
  const second = testReleaseAfter(first, [object.object]);
  const signed = (release: typeof first): SignedRelease => ({ release, digest: digestOfJson(release), jws: 'a.b.c' });
  const inputsOf = (release: typeof first, settled = false) => ({
    environment: 'prod',
    generation: release.generation,
    digest: digestOfJson(release),
    commit: release.commit,
    candidate: { ...release.candidate },
    settled,
  });
  const status = (change: object) => async () =>
    ({ environment: 'prod', state: 'converged', message: '', proxies: [], generation: 1, ...change }) as never;
  const typeFor = (client: AdminClient, release = first) => releaseType(client, { release: async () => signed(release) }, systemClock);

  test('a dry run judges and sends nothing', async () => {
    const client = fakeClient({ status: status({}) });
    expect(await typeFor(client).create(inputsOf(first), call(true))).toMatchObject({ id: 'prod', properties: { generation: 1 } });
    expect(client.changes).toEqual([]);
    const elsewhere = fakeClient({ status: status({ environment: 'dev' }) });
    await expect(typeFor(elsewhere).create(inputsOf(first), call(true))).rejects.toThrow('MW7012');
    const ahead = fakeClient({ status: status({}), release: async () => signed(second) });
    await expect(typeFor(ahead).update('prod', {}, inputsOf(first), call(true))).rejects.toThrow('does not follow');
  });

  test('what fails after it was sent keeps its state', async () => {
    const client = fakeClient({ status: status({ release: digestOfJson(first), state: 'aborted', message: 'a proxy said no' }) });
    const failure: unknown = await typeFor(client)
      .create(inputsOf(first), call())
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UnfinishedError);
    expect(failure).toMatchObject({
      reason: expect.stringContaining('MW7003: the roll-out of release 1 was aborted: a proxy said no'),
      state: { id: 'prod' },
    });
  });

  test('what is refused keeps nothing', async () => {
    const client = fakeClient({
      putRelease: async () => {
        throw new AdminError('refused', [deploy.releaseRefused({ reason: 'no' })]);
      },
    });
    await expect(typeFor(client).create(inputsOf(first), call())).rejects.toThrow(AdminError);
  });

  test('a control plane with a later release ends the waiting; one that says nothing more, too', async () => {
    const later = fakeClient({ status: status({ release: digestOfJson(second), generation: 2 }) });
    await expect(typeFor(later).create(inputsOf(first), call())).rejects.toThrow('MW7005');
    const silent = fakeClient({
      status: status({ release: digestOfJson(first), state: 'rolling', message: 'waiting for `a`' }),
      watch: async function* () {},
    });
    await expect(typeFor(silent).create(inputsOf(first), { ...call(), timeoutMs: 300 })).rejects.toThrow(
      /MW7004: release 1 did not converge within 0 s: waiting for `a`/,
    );
  });

  test('the same commit that leaves everything as it is, is no change; another commit is', () => {
    const { diff } = typeFor(fakeClient({}));
    expect(diff(inputsOf(first), inputsOf(second, true)).kind).toBe('none');
    expect(diff(inputsOf(first), inputsOf(second)).kind).toBe('update');
    expect(diff(inputsOf(first), inputsOf({ ...second, commit: 'other' }, true)).changed.map(({ path }) => path)).toEqual([
      'generation',
      'commit',
    ]);
    const moved = inputsOf({
      ...second,
      candidate: { 'AdmissionRules/mesh/rules': digestOfJson('z'), 'AdmissionRules/mesh/more': digestOfJson('z') },
    });
    expect(diff(inputsOf(first), moved).changed).toEqual([
      { path: 'generation', change: 'update' },
      { path: 'candidate["AdmissionRules/mesh/more"]', change: 'add' },
      { path: 'candidate["AdmissionRules/mesh/rules"]', change: 'update' },
    ]);
    expect(diff(inputsOf(first), { ...inputsOf(first), environment: 'dev' }).kind).toBe('replace');
  });

  test('it is read as it really is, and as unfinished when its roll-out was aborted', async () => {
    const converged = fakeClient({ release: async () => signed(second), status: status({}) });
    const state = await typeFor(converged).read('prod', inputsOf(first), call());
    expect(canonicalJson(state)).toBe(canonicalJson({ id: 'prod', properties: { ...inputsOf(second), settled: undefined } }));
    const aborted = fakeClient({ release: async () => signed(second), status: status({ state: 'aborted', message: 'no' }) });
    expect(await typeFor(aborted).read('prod', inputsOf(first), call())).toMatchObject({ unfinished: ['its roll-out was aborted: no'] });
    expect(await typeFor(fakeClient({})).read('prod', inputsOf(first), call())).toBeNull();
  });

  test('deleting it takes nothing back, and says so', async () => {
    await typeFor(fakeClient({})).delete('prod', inputsOf(first), call());
    expect(said[0]).toContain('cannot be taken back');
  });
});

test("the engine's address is found behind the engine's own flags", () => {
  expect(engineAddress(['--logtostderr', '-v=9', '--tracing', 'http://trace', '127.0.0.1:4000'])).toBe('127.0.0.1:4000');
  expect(engineAddress([])).toBeUndefined();
});
