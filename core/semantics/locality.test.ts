import * as fc from 'fast-check';
import type { LocalityRule } from '../ir/resilience';
import { covers, endpointsFor, loadsOf, mostEjected, type CallerPlace, type EndpointInstance, type Locality } from './locality';

const at = (place: string, network = ''): CallerPlace => {
  const [region = '', zone = '', subZone = ''] = place.split('/');
  return { region, zone, subZone, network };
};
const localityAt = (place: string): Locality => {
  const { region, zone, subZone } = at(place);
  return { region, zone, subZone };
};
const endpoint = (id: string, place: string, over: Partial<EndpointInstance> = {}): EndpointInstance => ({
  id,
  locality: localityAt(place),
  weight: 1,
  priority: 0,
  health: 'healthy',
  network: '',
  ...over,
});
const all = [
  endpoint('r1', 'eu/a/r1'),
  endpoint('r2', 'eu/a/r2'),
  endpoint('b', 'eu/b'),
  endpoint('us', 'us/x'),
  endpoint('sa', 'sa/y'),
  endpoint('none', ''),
];
const order = (rule: LocalityRule, caller: string, endpoints = all): readonly (readonly string[])[] =>
  endpointsFor(rule, at(caller), endpoints).map((groups) => groups.flatMap((group) => group.endpoints.map(({ id }) => id)).sort());
const prefer = (nearness: 'region' | 'zone' | 'sub-zone', failover: { from: string; to: string[] }[] = []): LocalityRule => ({
  kind: 'prefer',
  nearness,
  failover,
});

test('off: all are one', () => expect(order({ kind: 'off' }, 'eu/a')).toEqual([['b', 'none', 'r1', 'r2', 'sa', 'us']]));
test.each<[string, LocalityRule, string, readonly (readonly string[])[]]>([
  [
    'its own region, then the rest',
    prefer('region'),
    'eu/a',
    [
      ['b', 'r1', 'r2'],
      ['none', 'sa', 'us'],
    ],
  ],
  ['its zone, its region, the rest', prefer('zone'), 'eu/a', [['r1', 'r2'], ['b'], ['none', 'sa', 'us']]],
  ['its sub-zone before its zone', prefer('sub-zone'), 'eu/a/r2', [['r2'], ['r1'], ['b'], ['none', 'sa', 'us']]],
  [
    'places in the order that is named, then the rest',
    prefer('zone', [{ from: 'eu', to: ['sa', 'us'] }]),
    'eu/b',
    [['b'], ['r1', 'r2'], ['sa'], ['us'], ['none']],
  ],
  [
    'what is said for the narrowest place',
    prefer('zone', [
      { from: 'eu', to: ['sa'] },
      { from: 'eu/a', to: ['us'] },
    ]),
    'eu/a',
    [['r1', 'r2'], ['b'], ['us'], ['none', 'sa']],
  ],
  ['all alike for who is nowhere', prefer('zone'), '', [['b', 'none', 'r1', 'r2', 'sa', 'us']]],
  ['no gap where nobody is near', prefer('zone'), 'as/z', [['b', 'none', 'r1', 'r2', 'sa', 'us']]],
])('%s', (_what, rule, caller, wanted) => expect(order(rule, caller)).toEqual(wanted));
test('a zone counts where no region is known', () =>
  expect(order(prefer('zone'), '/a', [endpoint('1', '/a'), endpoint('2', '/b')])).toEqual([['1'], ['2']]));
test('what the inventory puts last stays last, however near', () =>
  expect(order(prefer('zone'), 'eu/a', [endpoint('spare', 'eu/a', { priority: 1 }), endpoint('far', 'us/x')])).toEqual([
    ['far'],
    ['spare'],
  ]));
test('shares fall on places; who is not named takes over when those have nobody', () => {
  const rule: LocalityRule = {
    kind: 'spread',
    shares: [
      {
        from: 'eu/a',
        to: [
          { place: 'eu', percent: 75 },
          { place: 'us', percent: 25 },
        ],
      },
    ],
  };
  const [first = [], second = []] = endpointsFor(rule, at('eu/a'), all);
  const share = (wanted: (locality: Locality) => boolean): number =>
    first.filter(({ locality }) => wanted(locality)).reduce((sum, group) => sum + (group.share ?? 0), 0);
  expect(share(({ region }) => region === 'eu') / share(({ region }) => region === 'us')).toBeCloseTo(3, 5);
  expect(second.flatMap((group) => group.endpoints.map(({ id }) => id))).toEqual(['none', 'sa']);
  expect(endpointsFor(rule, at('sa/y'), all)).toHaveLength(1);
});
test('a place holds what lies in it, and not what begins alike', () => {
  expect([covers('eu', at('eu/a')), covers('eu/a', at('eu/a/r')), covers('eu', at('eu-2/a')), covers('eu/a', at('eu/ab'))]).toEqual([
    true,
    true,
    false,
    false,
  ]);
});
test('every endpoint is called by every caller, once, in some priority', () => {
  const place = fc.constantFrom('', 'eu/a', 'eu/b', 'us/a', 'us/a/1', '/a');
  const rule = fc.constantFrom<LocalityRule>(
    { kind: 'off' },
    prefer('region'),
    prefer('zone', [{ from: 'eu', to: ['us'] }]),
    prefer('sub-zone'),
    {
      kind: 'spread',
      shares: [{ from: 'eu', to: [{ place: 'eu/a', percent: 100 }] }],
    },
  );
  fc.assert(
    fc.property(rule, place, fc.array(fc.tuple(place, fc.integer({ min: 0, max: 2 })), { maxLength: 12 }), (which, caller, made) => {
      const endpoints = made.map(([where, priority], index) => endpoint(String(index).padStart(2, '0'), where, { priority }));
      expect(order(which, caller, endpoints).flat().sort()).toEqual(endpoints.map(({ id }) => id));
    }),
    { seed: 6, numRuns: 300 },
  );
});

describe('loads', () => {
  const of = (total: number, healthy: number, degraded = 0) => ({ total, healthy, degraded });
  test.each([
    ['all well', [of(4, 4), of(4, 4)], [100, 0], false],
    ['5 of 7 stand everything', [of(7, 5), of(2, 2)], [100, 0], false],
    ['half stand 70%', [of(2, 1), of(2, 2)], [70, 30], false],
    ['none stand nothing', [of(2, 0), of(2, 2)], [0, 100], false],
    ['three priorities', [of(10, 3), of(10, 3), of(10, 10)], [42, 42, 16], false],
    ['too few everywhere: all of all are called, by their number', [of(2, 0), of(6, 1)], [25, 75], true],
    ['degraded ones stand in', [of(2, 1, 1), of(2, 2)], [70, 30], false],
  ] as const)('%s', (_what, health, loads, panic) => {
    const got = loadsOf(health, 50);
    expect(got.map(({ load }) => load)).toEqual(loads);
    expect(got.every((one) => one.panic)).toBe(panic);
  });
  test('without panic, nobody is called where nobody is well', () => expect(loadsOf([of(3, 0)], 0)).toEqual([{ load: 100, panic: false }]));
  test('they add up to 100', () => {
    const health = fc
      .integer({ min: 0, max: 9 })
      .chain((total) => fc.record({ total: fc.constant(total), healthy: fc.integer({ min: 0, max: total }), degraded: fc.constant(0) }));
    fc.assert(
      fc.property(fc.array(health, { minLength: 1, maxLength: 4 }), fc.integer({ min: 0, max: 100 }), (priorities, panic) => {
        if (priorities.every(({ total }) => total === 0)) return;
        expect(loadsOf(priorities, panic).reduce((sum, { load }) => sum + load, 0)).toBe(100);
      }),
      { seed: 6, numRuns: 500 },
    );
  });
});
test('ejection rounds down', () =>
  expect([mostEjected(4, 50), mostEjected(3, 50), mostEjected(1, 50), mostEjected(3, 100)]).toEqual([2, 1, 0, 3]));
