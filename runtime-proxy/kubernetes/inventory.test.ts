import type { KubeObject } from '../../platform/kube';
import { inventoryOf, type ClusterView } from './inventory';

type Change = {
  readonly labels?: object;
  readonly annotations?: object;
  readonly spec?: object;
  readonly status?: object;
  readonly meta?: object;
};
const pod = (name: string, { labels = { app: 'reviews' }, annotations = {}, spec = {}, status = {}, meta = {} }: Change = {}) =>
  ({
    metadata: { name, namespace: 'shop', labels, annotations, ...meta },
    spec: { containers: [{ name: 'app', ports: [{ name: 'http', containerPort: 9080 }] }], ...spec },
    status: { phase: 'Running', podIP: '10.0.0.1', conditions: [{ type: 'Ready', status: 'True' }], ...status },
  }) as KubeObject;
const service = (name: string, ports: readonly object[], selector: object = { app: 'reviews' }): KubeObject => ({
  metadata: { name, namespace: 'shop' },
  spec: { selector, ports },
});
const slice = (serviceName: string, port: number, endpoints: readonly object[], addressType = 'IPv4'): KubeObject => ({
  metadata: { name: `${serviceName}-${port}-${addressType}`, namespace: 'shop', labels: { 'kubernetes.io/service-name': serviceName } },
  addressType,
  ports: [{ name: 'web', port, protocol: 'TCP' }],
  endpoints,
});
const endpoint = (name: string, conditions: object = { ready: true }) => ({ targetRef: { kind: 'Pod', name }, conditions });
const see = (view: Partial<ClusterView>) => inventoryOf({ services: [], slices: [], pods: [], ...view });
const web = { name: 'web', port: 80, targetPort: 'http' };

test('a pod is an instance: its proxy listens at its address and the number of the port, its application on loopback', () => {
  const { inventory, diagnostics } = see({
    pods: [pod('reviews-1', { labels: { 'meshwright.dev/workload': 'reviews', app: 'other', version: 'v1' } })],
    slices: [slice('reviews', 9081, [endpoint('reviews-1')])],
  });
  expect(diagnostics).toEqual([]);
  expect(inventory.instances).toEqual([
    {
      id: 'reviews-1.shop',
      workload: 'shop/reviews',
      version: 'v1',
      app: { web: { host: '127.0.0.1', port: 9081 } },
      inbound: { web: { host: '10.0.0.1', port: 9081 } },
      outbound: { host: '127.0.0.1', port: 15001 },
      outboundAsPlaced: true,
    },
  ]);
});
test('before a slice is written the Service says where a pod listens, and nobody calls it yet', () => {
  const [instance] = see({ pods: [pod('reviews-1')], services: [service('reviews', [web])] }).inventory.instances;
  expect(instance).toMatchObject({ inbound: { web: { host: '10.0.0.1', port: 9080 } }, away: ['web'] });
  expect(
    see({ pods: [pod('reviews-1')], services: [service('reviews', [web])], slices: [slice('reviews', 9080, [endpoint('reviews-1')])] })
      .inventory.instances[0],
  ).not.toHaveProperty('away');
});
describe('a pod that two slices of one Service have', () => {
  const placed = (port: number, ready: boolean): KubeObject => slice('reviews', port, [endpoint('reviews-1', { ready })]);
  const both = (one: KubeObject, other: KubeObject, view: Partial<ClusterView>): readonly unknown[] =>
    [
      [one, other],
      [other, one],
    ].map((slices) => see({ slices, ...view }).inventory.instances[0]);
  test.each([
    [true, undefined],
    [false, ['web']],
  ])('is called if it is ready itself (%s), whichever comes last', (ready, away) => {
    const pods = [pod('reviews-1', { status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] } })];
    for (const instance of both(placed(9080, true), placed(9080, false), { pods })) expect(Object(instance).away).toEqual(away);
  });
  test.each([9080, 9081])('is called at the port that the Service has now (%s)', (targetPort) => {
    const view = { pods: [pod('reviews-1')], services: [service('reviews', [{ ...web, targetPort }])] };
    for (const instance of both(placed(9080, true), placed(9081, true), view))
      expect(instance).toMatchObject({ inbound: { web: { host: '10.0.0.1', port: targetPort } } });
  });
  test('is the same whichever comes last, also where no Service says more', () => {
    const [one, other] = both(placed(9080, true), placed(9081, true), { pods: [pod('reviews-1')] });
    expect(one).toEqual(other);
  });
});
test('annotations say where the application is, where it calls out, and what a gateway listens on', () => {
  const annotations = {
    'meshwright.dev/app-host': '::1',
    'meshwright.dev/outbound': '127.0.0.9:15009',
    'meshwright.dev/outbound.shop.db.pg': '127.0.0.1:5432',
    'meshwright.dev/listener.https': '[::]:8443',
  };
  expect(see({ pods: [pod('edge-1', { annotations })] }).inventory.instances).toMatchObject([
    {
      outbound: { host: '127.0.0.9', port: 15009 },
      outboundPorts: { 'shop/db.pg': { host: '127.0.0.1', port: 5432 } },
      listeners: { https: { host: '::', port: 8443 } },
    },
  ]);
  const gateway = see({ pods: [pod('edge-1', { annotations: { 'meshwright.dev/listener.https': '0.0.0.0:8443' } })] }).inventory
    .instances[0];
  expect(gateway).not.toHaveProperty('outbound');
});
test.each([
  [{ 'meshwright.dev/app-host': '10.0.0.9' }, '`meshwright.dev/app-host` is not a loopback address'],
  [{ 'meshwright.dev/outbound': '0.0.0.0:15001' }, '`meshwright.dev/outbound` is not `<loopback address>:<port>`'],
  [{ 'meshwright.dev/outbound.shop.db.pg': '10.0.0.9:5432' }, '`meshwright.dev/outbound.shop.db.pg` is not `<loopback address>:<port>`'],
  [{ 'meshwright.dev/listener.https': 'edge:443' }, '`meshwright.dev/listener.https` is not `<IP address>:<port>`'],
])('a pod annotated %j is left out, and said', (annotations, why) => {
  const { inventory, diagnostics } = see({ pods: [pod('x', { annotations })] });
  expect(inventory.instances).toEqual([]);
  expect(diagnostics).toMatchObject([{ code: 'MW9102', message: `pod \`shop/x\` is left out: ${why}` }]);
});
test('a pod without a workload is left out and said; one without an address, that has ended, or of the mesh itself is only left out', () => {
  const { inventory, diagnostics } = see({
    pods: [
      pod('a', { labels: {} }),
      pod('b', { status: { podIP: '' } }),
      pod('c', { status: { phase: 'Succeeded' } }),
      pod('d', { meta: { namespace: 'meshwright' } }),
    ],
  });
  expect(inventory.instances).toEqual([]);
  expect(diagnostics.map(({ code, message }) => [code, message.includes('`shop/a`')])).toEqual([['MW9101', true]]);
});
test('who is not ready is not called; who is on the way out only when nobody else is there', () => {
  const pods = [pod('reviews-1'), pod('reviews-2', { meta: { deletionTimestamp: '2026-11-22T10:00:00Z' } }), pod('reviews-3')];
  const away = (first: object, third: object): readonly unknown[] =>
    see({
      pods,
      slices: [
        slice('reviews', 9080, [
          endpoint('reviews-1', first),
          endpoint('reviews-2', { ready: false, serving: true, terminating: true }),
          endpoint('reviews-3', third),
        ]),
      ],
    }).inventory.instances.map((instance) => instance.away?.join() ?? 'called');
  expect(away({ ready: true }, { ready: false })).toEqual(['called', 'web', 'web']);
  expect(away({ ready: false }, { ready: false })).toEqual(['web', 'called', 'web']);
  expect(away({}, {})).toEqual(['called', 'web', 'called']); // a condition that is not given counts as ready
});
test('a slice that is about an earlier pod of that name does not make the new one called', () => {
  const of = (uid: string) => ({ targetRef: { kind: 'Pod', name: 'reviews-1', uid }, conditions: { ready: true } });
  const away = (uid: string): unknown =>
    see({
      pods: [pod('reviews-1', { meta: { uid: 'new' } })],
      services: [service('reviews', [web])],
      slices: [slice('reviews', 9080, [of(uid)])],
    }).inventory.instances[0]?.away;
  expect([away('new'), away('old')]).toEqual([undefined, ['web']]);
});
test('two address families: the pod is called by its first address', () => {
  const pods = [pod('reviews-1', { status: { podIP: 'fd00::7' } })];
  const slices = [slice('reviews', 1, [endpoint('reviews-1')]), slice('reviews', 2, [endpoint('reviews-1')], 'IPv6')];
  expect(see({ pods, slices }).inventory.instances[0]?.inbound).toEqual({ web: { host: 'fd00::7', port: 2 } });
});
test('of two Services that call different ports alike, the one named like the workload is taken, and the other said; so is a port without a name', () => {
  const { inventory, diagnostics } = see({
    pods: [pod('reviews-1')],
    services: [service('another', [{ name: 'web', port: 1 }]), service('reviews', [web]), service('bare', [{ port: 2 }])],
  });
  expect(inventory.instances[0]?.inbound).toEqual({ web: { host: '10.0.0.1', port: 9080 } });
  expect(diagnostics.map(({ code, message }) => [code, /`shop\/(another|bare)`/.exec(message)?.[1]])).toEqual([
    ['MW9103', 'bare'],
    ['MW9103', 'another'],
  ]);
});
test('the order of what comes in changes nothing', () => {
  const view = {
    pods: [pod('b'), pod('a', { status: { podIP: '10.0.0.2' } })],
    services: [service('reviews', [web]), service('other', [web])],
    slices: [slice('other', 9080, [endpoint('a'), endpoint('b')]), slice('reviews', 9080, [endpoint('b')])],
  };
  const reversed = { pods: view.pods.toReversed(), services: view.services.toReversed(), slices: view.slices.toReversed() };
  expect(JSON.stringify(see(reversed).inventory)).toBe(JSON.stringify(see(view).inventory));
});

describe('where a pod is', () => {
  const zoned = { ...endpoint('reviews-1'), zone: 'z1' };
  test('its zone by its labels, else by its slices; region and sub-zone by labels', () => {
    const of = (labels: object) =>
      see({ pods: [pod('reviews-1', { labels: { app: 'reviews', ...labels } })], slices: [slice('reviews', 9080, [zoned])] }).inventory
        .instances[0];
    expect(of({})).toMatchObject({ zone: 'z1' });
    expect(of({ 'topology.kubernetes.io/zone': 'z2', 'topology.kubernetes.io/region': 'r', 'meshwright.dev/sub-zone': 's' })).toMatchObject(
      { region: 'r', zone: 'z2', subZone: 's' },
    );
  });
});

describe('several networks', () => {
  const gateway = (annotations: object) =>
    see({
      pods: [
        pod('crossing', {
          labels: { app: 'crossing', 'meshwright.dev/network': 'west' },
          annotations: { 'meshwright.dev/listener.east-west': '0.0.0.0:15443', ...annotations },
        }),
      ],
    });
  test('the network of a pod by its label; a gateway between networks is reached at its pod, or at what stands before it', () => {
    expect(gateway({}).inventory.instances[0]).toMatchObject({ network: 'west', eastWest: { host: '10.0.0.1', port: 15443 } });
    expect(gateway({ 'meshwright.dev/east-west': '203.0.113.7:443' }).inventory.instances[0]).toMatchObject({
      eastWest: { host: '203.0.113.7', port: 443 },
    });
  });
  test('a gateway that is not ready is not called, and one on its way out only while nobody else passes on into its network', () => {
    const crossing = (name: string, change: Change = {}, network = 'west') =>
      pod(name, {
        labels: { app: 'crossing', 'meshwright.dev/network': network },
        annotations: { 'meshwright.dev/listener.east-west': '0.0.0.0:15443' },
        ...change,
      });
    const leaving = { meta: { deletionTimestamp: '2026-11-22T00:00:00Z' } };
    const starting = { status: { conditions: [{ type: 'Ready', status: 'False' }] } };
    const away = (...pods: KubeObject[]) => see({ pods }).inventory.instances.map((one) => one.away);
    expect(away(crossing('a'), crossing('b', starting))).toEqual([undefined, ['east-west']]);
    expect(away(crossing('a', leaving), crossing('b'))).toEqual([['east-west'], undefined]);
    expect(away(crossing('a', leaving), crossing('b', starting), crossing('c', {}, 'north'))).toEqual([
      undefined,
      ['east-west'],
      undefined,
    ]);
  });
  test('an address that is none leaves the pod out, and is said', () => {
    const { inventory, diagnostics } = gateway({ 'meshwright.dev/east-west': 'west.example:443' });
    expect(inventory.instances).toEqual([]);
    expect(diagnostics).toMatchObject([{ message: expect.stringContaining('meshwright.dev/east-west') }]);
  });
});

describe('captured connections', () => {
  const dialled = (name: string, ip: string, selector: object = { app: 'reviews' }): KubeObject => ({
    metadata: { name, namespace: 'shop' },
    spec: { selector, clusterIP: ip, clusterIPs: [ip, 'fd00::1'], ports: [{ name: 'web', port: 80, targetPort: 9080 }] },
  });
  const at = (host: string) => ({ host, port: 80 });
  test('a pod that is set up for it says where they arrive, in the family of its address', () => {
    const spec = { initContainers: [{ name: 'meshwright-capture' }, { name: 'meshwright-proxy' }] };
    expect(see({ pods: [pod('reviews-1', { spec })] }).inventory.instances[0]?.capture).toEqual({
      inbound: { host: '0.0.0.0', port: 15006 },
      outbound: { host: '127.0.0.1', port: 15005 },
    });
    expect(see({ pods: [pod('reviews-1', { spec, status: { podIP: 'fd00::9' } })] }).inventory.instances[0]?.capture).toMatchObject({
      inbound: { host: '::' },
    });
    const podIPs = [{ ip: '10.0.0.1' }, { ip: 'fd00::9' }];
    expect(see({ pods: [pod('reviews-1', { spec, status: { podIPs } })] }).inventory.instances[0]?.capture).toMatchObject({
      outboundAlso: { host: '::1', port: 15005 },
    });
    expect(
      see({ pods: [pod('reviews-1', { annotations: { 'meshwright.dev/capture': 'true' } })] }).inventory.instances[0],
    ).not.toHaveProperty('capture');
  });
  test('cluster IPs stand for the workload that their Service is named like, else for the one of all its pods; headless ones for none', () => {
    const pods = [pod('reviews-1'), pod('ratings-1', { labels: { app: 'ratings', part: 'x' } })];
    const virtual = (...services: KubeObject[]) => see({ pods, services }).inventory.virtual;
    expect(virtual(dialled('reviews', '10.0.0.7'))).toEqual({ 'shop/reviews.web': [at('10.0.0.7'), at('fd00::1')] });
    expect(virtual(dialled('alias', '10.0.0.8'))).toEqual({ 'shop/reviews.web': [at('10.0.0.8'), at('fd00::1')] });
    // of a part of them: for that version alone, and for nothing when it is not even that
    const brokers = ['b0', 'b1', 'b1'].map((version, index) => pod(`kafka-${index}`, { labels: { app: 'kafka', version, n: `${index}` } }));
    const dialKafka = (selector: object) => see({ pods: brokers, services: [dialled('kafka-x', '10.0.0.6', selector)] }).inventory.virtual;
    expect(dialKafka({ app: 'kafka', version: 'b1' })).toEqual({ 'shop/kafka.web|b1': [at('10.0.0.6'), at('fd00::1')] });
    expect(dialKafka({ app: 'kafka', n: '2' })).toBeUndefined();
    // of another workload's pods: its name decides, so that one address never stands for two ports
    expect(virtual(dialled('ratings', '10.0.0.9'))).toEqual({ 'shop/ratings.web': [at('10.0.0.9'), at('fd00::1')] });
    expect(virtual(dialled('elsewhere', '10.0.0.5', { app: 'nobody' }))).toHaveProperty(['shop/elsewhere.web']);
    expect(virtual(service('reviews', [web]))).toBeUndefined();
  });
});

test('every address of a pod of the mesh, of its Services and of the mesh itself is known as one, whoever is called there', () => {
  const at = (name: string, namespace: string, spec: object): KubeObject => ({ metadata: { name, namespace }, spec });
  const ip = (clusterIP: string, selector?: object) => ({ clusterIP, selector, ports: [{ port: 80 }] });
  const mesh = {
    ...pod('control-plane-1', { labels: {}, status: { podIP: '10.0.0.3' } }),
    metadata: { name: 'control-plane-1', namespace: 'meshwright' },
  };
  const { alsoOfMesh = [] } = see({
    pods: [
      pod('job-1', { labels: { app: 'job' }, status: { podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::9' }] } }),
      pod('edge-1', {
        labels: { app: 'edge' },
        annotations: { 'meshwright.dev/listener.web': '0.0.0.0:8080' },
        status: { podIP: '10.0.0.2' },
      }),
      pod('stranger-1', { labels: {}, status: { podIP: '10.0.0.4' } }),
      mesh,
    ],
    services: [
      at('unnamed', 'shop', ip('10.1.0.1', { app: 'job' })),
      at('control-plane', 'meshwright', ip('10.1.0.2', { app: 'x' })),
      at('strange', 'shop', ip('10.1.0.3', { app: 'stranger' })),
      at('elsewhere', 'other', ip('10.1.0.4', { app: 'job' })),
      at('selects-none', 'shop', ip('10.1.0.5')),
      at('headless', 'shop', ip('None', { app: 'job' })),
    ],
  }).inventory;
  expect(alsoOfMesh).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.1.0.1', '10.1.0.2', 'fd00::9']);
});
