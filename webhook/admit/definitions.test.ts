import { reviewOf, testContext, testState } from '../../test/kit/admit';
import type { Review } from '../review/review';
import { adjudicate } from './adjudicate';
import type { StateSnapshot } from './context';

const live = { generation: 7, stable: {}, candidate: {} } as unknown as StateSnapshot['live'];
const crd = (group: string, plural: string): Record<string, unknown> => ({
  metadata: { name: `${plural}.${group}` },
  spec: { group, names: { plural } },
});
const review = (definition: Record<string, unknown>, over: Partial<Review> = {}): Review => ({
  ...reviewOf(definition, 'customresourcedefinitions', { operation: 'DELETE' }),
  resource: { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' },
  ...{ object: null, oldObject: definition },
  ...over,
});
const judged = async (definition: Record<string, unknown>, state: Partial<StateSnapshot>): Promise<string> => {
  const { allowed, undecided, message } = await adjudicate(review(definition), testContext({ state: testState({ live, ...state }) }));
  return allowed ? 'allowed' : undecided ? 'undecided' : message.slice(0, 6);
};

it.each(['serviceconfigs', 'proxyconfigs', 'admissionrules', 'releases'])('%s stay while a release is live', async (plural) => {
  expect(await judged(crd('meshwright.dev', plural), {})).toBe('MW8014');
  expect(await judged(crd('meshwright.dev', plural), { live: null })).toBe('allowed');
});
it('is not decided while nobody knows what is live', async () => {
  for (const state of [{ synced: false }, { stale: true }, { live: 'unreadable' as const }])
    expect(await judged(crd('meshwright.dev', 'releases'), state)).toBe('undecided');
});
it('kinds of others are theirs', async () => {
  expect(await judged(crd('example.com', 'releases'), {})).toBe('allowed');
  expect(await judged(crd('meshwright.dev.example.com', 'releases'), {})).toBe('allowed');
});
