import * as fc from 'fast-check';
import { applyPatch } from '../../test/kit/json-patch';
import { checkInjected } from './check';
import { mutate } from './handler';
import { inject, type InjectionContext } from './inject';
import type { InjectionSettings } from './settings';
import { sidecarName } from './template';

const settings: InjectionSettings = {
  image: 'registry.test/meshwright@sha256:0',
  imagePullPolicy: 'IfNotPresent',
  trustDomain: 'mesh.test',
  controlPlane: { host: 'control-plane.meshwright.svc', port: 15010 },
  ca: { host: 'ca.meshwright.svc', port: 15011 },
};
const context: InjectionContext = { settings, namespace: 'shop', namespaceLabels: {} };
interface Shape {
  readonly metadata?: object;
  readonly spec?: object;
}
const pod = ({ metadata = {}, spec = {} }: Shape = {}): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'front-1', labels: { app: 'front', 'meshwright.dev/inject': 'true' }, ...metadata },
  spec: { containers: [{ name: 'app', image: 'front' }], ...spec },
});
const patched = (value: object, over: Partial<InjectionContext> = {}): object => {
  const injection = inject(value, { ...context, ...over });
  if (injection.kind !== 'patch') throw new Error(JSON.stringify(injection));
  return Object(applyPatch(value, injection.patch));
};
const refusal = (value: unknown, over: Partial<InjectionContext> = {}): string => {
  const injection = inject(value, { ...context, ...over });
  return injection.kind === 'refused' ? injection.message : injection.kind;
};
const specOf = (value: object): { initContainers: { name: string }[]; volumes: { name: string }[] } => Reflect.get(value, 'spec');

describe('who gets a sidecar', () => {
  test('the pod’s label decides, else the namespace’s; the namespaces that the cluster starts from never', () => {
    const plain = (labels: object = { app: 'front' }): object => pod({ metadata: { labels } });
    const kind = (value: object, over: Partial<InjectionContext> = {}): string => inject(value, { ...context, ...over }).kind;
    const asking = { namespaceLabels: { 'meshwright.dev/inject': 'true' } };
    expect(kind(plain())).toBe('unchanged');
    expect(kind(plain(), asking)).toBe('patch');
    expect(kind(plain({ app: 'front', 'meshwright.dev/inject': 'false' }), asking)).toBe('unchanged');
    expect(kind(pod())).toBe('patch');
    expect(kind(pod(), { namespace: 'kube-system' })).toBe('unchanged');
    expect(kind(pod(), { namespace: 'meshwright' })).toBe('unchanged');
    expect(refusal(plain(), { namespaceLabels: null })).toContain(
      'MW8102: Pod shop/front-1: metadata.namespace: namespace `shop` is not known',
    );
    expect(kind(pod(), { namespaceLabels: null })).toBe('patch');
  });
  test('only the making of a pod is looked at', () => {
    const ask = (over: object) =>
      mutate(
        { operation: 'CREATE', resource: { group: '', resource: 'pods' }, namespace: 'shop', object: pod(), ...over },
        { settings, labelsOf: () => null },
      );
    expect(ask({})).toMatchObject({ allowed: true, patch: expect.arrayContaining([]) });
    expect(ask({ operation: 'UPDATE' })).toMatchObject({ allowed: true, patch: null });
    expect(ask({ subResource: 'ephemeralcontainers' })).toMatchObject({ allowed: true, patch: null });
    expect(ask({ object: null })).toMatchObject({ allowed: false, message: expect.stringContaining('MW8101') });
  });
});

describe('what is put in', () => {
  test('one init container that stays, before the others, and three volumes', () => {
    const result = patched(pod({ spec: { initContainers: [{ name: 'migrate' }], volumes: [{ name: 'own' }] } }));
    expect(specOf(result).initContainers.map(({ name }) => name)).toEqual([sidecarName, 'migrate']);
    expect(specOf(result).volumes.map(({ name }) => name)).toEqual(['own', 'meshwright-token', 'meshwright-run', 'meshwright-trust']);
    expect(specOf(result).initContainers[0]).toMatchObject({ restartPolicy: 'Always', command: ['meshwright', 'agent', '--kubernetes'] });
    expect(result).toMatchObject({ metadata: { annotations: { 'meshwright.dev/injected': expect.stringMatching(/^[0-9a-f]{12}$/) } } });
  });
  test('annotations change what they may, in the spelling of the API server', () => {
    const result = patched(
      pod({
        metadata: {
          annotations: {
            'meshwright.dev/sidecar-cpu': '1000m',
            'meshwright.dev/sidecar-memory': '1024Mi',
            'meshwright.dev/sidecar-concurrency': '2',
            'meshwright.dev/sidecar-drain': '10s',
            'meshwright.dev/sidecar-xds': 'state-of-the-world',
            other: 'x',
          },
        },
      }),
    );
    expect(specOf(result).initContainers[0]).toMatchObject({
      resources: { requests: { cpu: '1', memory: '1Gi' }, limits: { memory: '1Gi' } },
      env: expect.arrayContaining([
        { name: 'MESHWRIGHT_CONCURRENCY', value: '2' },
        { name: 'MESHWRIGHT_DRAIN_MS', value: '10000' },
        { name: 'MESHWRIGHT_XDS', value: 'state-of-the-world' },
        { name: 'MESHWRIGHT_WORKLOAD', value: 'shop/front' },
      ]),
    });
  });
  test('Secrets that the pod names are mounted for the agent alone, each below its namespace, there or not', () => {
    const result = patched(pod({ metadata: { annotations: { 'meshwright.dev/certificates': 'partner, edge-tls,partner' } } }));
    const [own] = specOf(result).initContainers;
    expect(own).toMatchObject({
      env: expect.arrayContaining([{ name: 'MESHWRIGHT_CERTIFICATES_DIR', value: '/etc/meshwright/certificates' }]),
      volumeMounts: expect.arrayContaining([
        { name: 'meshwright-certificates', mountPath: '/etc/meshwright/certificates', readOnly: true },
      ]),
    });
    const volume = specOf(result).volumes.find(({ name }) => name === 'meshwright-certificates');
    expect(volume).toMatchObject({
      projected: {
        sources: [
          { secret: { name: 'edge-tls', optional: true } },
          { secret: { name: 'partner', optional: true, items: expect.arrayContaining([{ key: 'ca.crt', path: 'shop/partner/ca.crt' }]) } },
        ],
      },
    });
    const taken = pod({ spec: { containers: [{ name: 'a', volumeMounts: [{ name: 'meshwright-certificates' }] }] } });
    expect(refusal(taken)).toContain('spec.containers[0].volumeMounts[0].name: ');
  });
  test.each([
    [{ 'meshwright.dev/east-west': 'west' }, 'MW8106', '`<IP address>:<port>`'],
    [{ 'meshwright.dev/certificates': '../x' }, 'MW8106', 'a list of at most 16 names of Secrets'],
    [{ 'meshwright.dev/certificates': 'a,,b' }, 'MW8106', 'a list of at most 16 names of Secrets'],
    [{ 'meshwright.dev/sidecar-image': 'evil' }, 'MW8106', 'no annotation of this name is followed'],
    [{ 'meshwright.dev/sidecar-memroy': '128Mi' }, 'MW8106', 'did you mean `meshwright.dev/sidecar-memory`?'],
    [{ 'meshwright.dev/sidecar-memory': '1Ti' }, 'MW8106', 'from 64Mi to 8Gi'],
    [{ 'meshwright.dev/sidecar-xds': 'grpc' }, 'MW8106', 'not `delta` or `state-of-the-world`'],
    [{ 'meshwright.dev/app-host': '10.0.0.1' }, 'MW8106', 'not a loopback address'],
    [{ 'meshwright.dev/outbound': '0.0.0.0:15001' }, 'MW8106', 'not `<loopback address>:<port>`'],
    [{ 'meshwright.dev/outbound': '127.0.0.1:15021' }, 'MW8106', 'answers probes'],
    [{ 'meshwright.dev/listener.web': 'all:80' }, 'MW8106', '`<IP address>:<port>`'],
  ])('annotation %j is refused', (annotations, code, why) => {
    const message = refusal(pod({ metadata: { annotations } }));
    expect(message).toContain(`${code}: Pod shop/front-1: metadata.annotations['${Object.keys(annotations)[0]}']: `);
    expect(message).toContain(why);
  });
});

describe('what is refused, by its field', () => {
  test.each([
    [{ hostNetwork: true }, 'MW8103: Pod shop/front-1: spec.hostNetwork: '],
    [{ hostPID: true }, 'MW8103: Pod shop/front-1: spec.hostPID: '],
    [{ volumes: [{ name: 'a' }, { name: 'meshwright-run', emptyDir: {} }] }, 'MW8105: Pod shop/front-1: spec.volumes[1].name: '],
    [{ containers: [{ name: sidecarName }] }, 'MW8105: Pod shop/front-1: spec.containers[0].name: '],
    [{ initContainers: [{ name: sidecarName }] }, 'MW8105: Pod shop/front-1: spec.initContainers[0].name: '],
    [
      { containers: [{ name: 'a', ports: [{ containerPort: 80 }, { containerPort: 15021 }] }] },
      'MW8105: Pod shop/front-1: spec.containers[0].ports[1].containerPort: port 15021',
    ],
    [{ containers: [{ name: 'a', ports: [{ containerPort: 15001 }] }] }, 'spec.containers[0].ports[0].containerPort: port 15001'],
    [{ containers: [{ name: 'a', volumeMounts: [{ name: 'meshwright-run' }] }] }, 'spec.containers[0].volumeMounts[0].name: '],
    [{ containers: 'x' }, 'MW8101'],
  ])('%j', (spec, message) => {
    expect(refusal(pod({ spec }))).toContain(message);
  });
  test('a UDP port of the same number, and the outbound port of a pod that moved its listener, are free', () => {
    const port = (entry: object): object => ({ containers: [{ name: 'a', ports: [entry] }] });
    expect(refusal(pod({ spec: port({ containerPort: 15021, protocol: 'UDP' }) }))).toBe('patch');
    const annotations = { 'meshwright.dev/outbound': '127.0.0.1:16001' };
    expect(refusal(pod({ metadata: { annotations }, spec: port({ containerPort: 15001 }) }))).toBe('patch');
    expect(refusal(pod({ metadata: { annotations }, spec: port({ containerPort: 16001 }) }))).toContain('port 16001');
  });
  test('a pod of no workload, or of one whose name no workload can have', () => {
    const labels = (more: object): object => pod({ metadata: { labels: { 'meshwright.dev/inject': 'true', ...more } } });
    expect(refusal(labels({}))).toContain('MW8104');
    expect(refusal(labels({ 'meshwright.dev/workload': 'A_b', app: 'front' }))).toContain('`A_b` is not a name');
    expect(
      refusal(JSON.parse('{"metadata":{"labels":{"__proto__":{"meshwright.dev/inject":"true","app":"x"}}},"spec":{"containers":[]}}')),
    ).toBe('unchanged');
  });
});

describe('again', () => {
  const annotations = fc.option(fc.dictionary(fc.constantFrom('a', 'b/c~d', 'sidecar.istio.io/inject'), fc.string()), { nil: undefined });
  const named = (prefix: string) =>
    fc.option(
      fc.array(fc.integer({ min: 0, max: 99 }), { maxLength: 4 }).map((ids) => ids.map((id) => ({ name: `${prefix}${id}` }))),
      { nil: undefined },
    );
  const anyPod = fc.record({ annotations, initContainers: named('i'), volumes: named('v'), containers: named('c') }).map((one) =>
    pod({
      metadata: one.annotations === undefined ? {} : { annotations: one.annotations },
      spec: {
        containers: one.containers ?? [],
        ...(one.initContainers === undefined ? {} : { initContainers: one.initContainers }),
        ...(one.volumes === undefined ? {} : { volumes: one.volumes }),
      },
    }),
  );
  test('injecting twice is injecting once, whatever else the pod has; and it passes the check', () => {
    fc.assert(
      fc.property(anyPod, (value) => {
        const once = patched(value);
        expect(inject(once, context)).toEqual({ kind: 'unchanged' });
        expect(checkInjected(once, { ...context, required: true })).toBeNull();
        // All that was there is there.
        expect(specOf(once)).toMatchObject({ containers: Reflect.get(specOf(value), 'containers') });
      }),
      { seed: 4 },
    );
  });
  test('an older or edited sidecar is replaced whole, and said; another webhook’s additions stay', () => {
    const older = patched(pod({ spec: { volumes: [{ name: 'own' }] } }), {
      settings: { ...settings, image: 'registry.test/meshwright@sha256:old' },
    });
    specOf(older).initContainers.unshift({ name: 'from-another-webhook' });
    const injection = inject(older, context);
    expect(injection).toMatchObject({ kind: 'patch', warnings: [expect.stringContaining('spec.initContainers[1].image')] });
    const result = patched(older);
    expect(specOf(result).initContainers.map(({ name }) => name)).toEqual([sidecarName, 'from-another-webhook']);
    expect(specOf(result).volumes.map(({ name }) => name)).toEqual(['own', 'meshwright-token', 'meshwright-run', 'meshwright-trust']);
    expect(inject(result, context).kind).toBe('unchanged');
  });
  test('re-invoked after another webhook took our annotation away, only that comes back', () => {
    const value = patched(pod({ metadata: { annotations: { a: 'b' } } }));
    Reflect.deleteProperty(Object(Reflect.get(Object(Reflect.get(value, 'metadata')), 'annotations')), 'meshwright.dev/injected');
    expect(inject(patched(value), context).kind).toBe('unchanged');
  });
});

describe('capture', () => {
  const asking = { annotations: { 'meshwright.dev/capture': 'true' } };
  const captured = (spec: object = {}): object => pod({ metadata: asking, spec });
  test('is set up before anything else of the pod runs, by root with one capability and no more', () => {
    const result = patched(captured({ initContainers: [{ name: 'migrate' }] }));
    expect(specOf(result).initContainers.map(({ name }) => name)).toEqual(['meshwright-capture', sidecarName, 'migrate']);
    expect(specOf(result).initContainers[0]).toMatchObject({
      command: ['meshwright', 'capture', '--uid', '15021', '--inbound', '15006', '--outbound', '15005'],
      securityContext: { capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] }, privileged: false, readOnlyRootFilesystem: true },
    });
    expect(inject(result, context)).toEqual({ kind: 'unchanged' });
    expect(checkInjected(result, { ...context, required: true })).toBeNull();
  });
  test('cannot be asked for and left out, moved or changed', () => {
    const check = (change: (containers: { name: string }[]) => void): unknown => {
      const value = patched(captured());
      change(specOf(value).initContainers);
      return checkInjected(value, { ...context, required: true })?.field;
    };
    expect(check((containers) => containers.shift())).toBe('spec.initContainers');
    expect(check((containers) => containers.reverse())).toBe('spec.initContainers');
    expect(check((containers) => Reflect.set(containers[0] ?? {}, 'command', ['true']))).toBe('spec.initContainers[0].command[0]');
  });
  test.each<[object, string]>([
    [{ containers: [{ name: 'a', securityContext: { runAsUser: 15021 } }] }, 'spec.containers[0].securityContext.runAsUser: user 15021'],
    [{ securityContext: { runAsUser: 15021 } }, 'spec.securityContext.runAsUser: user 15021'],
    [{ containers: [{ name: 'a', ports: [{ containerPort: 15006 }] }] }, 'spec.containers[0].ports[0].containerPort: port 15006'],
    [{ initContainers: [{ name: 'meshwright-capture' }] }, 'spec.initContainers[0].name: `meshwright-capture`'],
  ])('a pod with %j is refused', (spec, why) => {
    expect(refusal(captured(spec))).toContain(`MW8105: Pod shop/front-1: ${why}`);
  });
  test('what could undo it is said, and a gateway has none', () => {
    const injection = inject(captured({ containers: [{ name: 'a', securityContext: { capabilities: { add: ['NET_ADMIN'] } } }] }), context);
    expect(injection).toMatchObject({
      warnings: ['meshwright: spec.containers[0] has rights to undo capture (`privileged`, or NET_ADMIN)'],
    });
    const gateway = { annotations: { ...asking.annotations, 'meshwright.dev/listener.https': '0.0.0.0:8443' } };
    expect(refusal(pod({ metadata: gateway }))).toContain('MW8106');
    const explicit = (name: string, value: string): string =>
      refusal(pod({ metadata: { annotations: { [`meshwright.dev/outbound.${name}`]: value } } }));
    expect(explicit('shop.db.pg', '127.0.0.1:5432')).toBe('patch');
    expect([explicit('db', '127.0.0.1:5432'), explicit('shop.db.pg', '10.0.0.1:5432')]).toEqual([
      expect.stringContaining('names no port'),
      expect.stringContaining('`<loopback address>:<port>`'),
    ]);
    expect(refusal(pod({ metadata: { annotations: { 'meshwright.dev/capture': 'yes' } } }))).toContain('`yes` is not `true` or `false`');
  });
});

describe('the validating side', () => {
  const required = { ...context, required: true };
  const alter = (change: (value: object) => void): object => {
    const value = patched(pod());
    change(value);
    return value;
  };
  const sidecar = (value: object): object => specOf(value).initContainers[0] ?? {};
  test.each<[string, (value: object) => void, string]>([
    ['another image', (v) => Reflect.set(sidecar(v), 'image', 'evil'), 'spec.initContainers[0].image'],
    [
      'one more variable',
      (v) => Reflect.get(sidecar(v), 'env').push({ name: 'LD_PRELOAD', value: '/x' }),
      'spec.initContainers[0].env[14]',
    ],
    [
      'more rights',
      (v) => Reflect.set(Reflect.get(sidecar(v), 'securityContext'), 'privileged', true),
      'spec.initContainers[0].securityContext.privileged',
    ],
    [
      'one more mount',
      (v) => Reflect.get(sidecar(v), 'volumeMounts').push({ name: 'own', mountPath: '/x' }),
      'spec.initContainers[0].volumeMounts[3]',
    ],
    ['the token’s audience', (v) => Reflect.set(specOf(v).volumes[0] ?? {}, 'projected', {}), 'spec.volumes[0].projected'],
    ['no sidecar', (v) => Reflect.set(specOf(v), 'initContainers', []), 'spec.initContainers'],
    [
      'no annotation',
      (v) => Reflect.set(Object(Reflect.get(v, 'metadata')), 'annotations', {}),
      "metadata.annotations['meshwright.dev/injected']",
    ],
    [
      'a memory limit',
      (v) => Reflect.set(Reflect.get(Reflect.get(sidecar(v), 'resources'), 'limits'), 'memory', '1Mi'),
      'spec.initContainers[0].resources.limits.memory',
    ],
  ])('%s is seen', (_what, change, field) => {
    expect(checkInjected(alter(change), required)).toMatchObject({ field: expect.stringContaining(field), diagnostic: { code: 'MW8108' } });
  });
  test('what plugins of the API server do is no change', () => {
    const value = alter((v) => {
      Reflect.set(sidecar(v), 'imagePullPolicy', 'Always');
      Reflect.set(Reflect.get(Reflect.get(sidecar(v), 'resources'), 'limits'), 'ephemeral-storage', '1Gi');
    });
    expect(checkInjected(value, required)).toBeNull();
  });
  test('a pod of a workload that is declared as injected may not do without', () => {
    const plain = pod({ metadata: { labels: { app: 'front' } } });
    expect(checkInjected(plain, { ...context, required: false })).toBeNull();
    expect(checkInjected(plain, required)).toMatchObject({
      diagnostic: { code: 'MW8107', message: expect.stringContaining('`shop/front`') },
    });
  });
  test('a running pod keeps its older sidecar, and nobody changes it or mounts what is its own', () => {
    const older = patched(pod(), { settings: { ...settings, image: 'registry.test/meshwright@sha256:old' } });
    expect(checkInjected(structuredClone(older), required, older)).toBeNull();
    const changed = structuredClone(older);
    Reflect.set(sidecar(changed), 'image', 'evil');
    expect(checkInjected(changed, required, older)).toMatchObject({ field: 'spec.initContainers[0].image' });
    const looking = structuredClone(older);
    Reflect.set(specOf(looking), 'ephemeralContainers', [{ name: 'debug', volumeMounts: [{ name: 'meshwright-run' }] }]);
    expect(checkInjected(looking, required, older)).toMatchObject({ field: 'spec.ephemeralContainers[0].volumeMounts[0].name' });
  });
});
