import { instanceIdOf, isInstanceId } from './spiffe';

test('a pod is an instance of its own, also where its name is too long for a common name', () => {
  expect(instanceIdOf('reviews-v1-6d8f', 'bookinfo')).toBe('reviews-v1-6d8f.bookinfo');
  const long = `${'a'.repeat(41)}.${'b'.repeat(200)}`;
  const ids = [long, `${long}c`].flatMap((pod) => ['shop', 'shop-2'].map((namespace) => instanceIdOf(pod, namespace)));
  expect(ids.map((id) => [id.length <= 64, isInstanceId(id)])).toEqual(ids.map(() => [true, true]));
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids[0]).toBe(`${'a'.repeat(41)}..${ids[0]?.slice(43)}`);
});
