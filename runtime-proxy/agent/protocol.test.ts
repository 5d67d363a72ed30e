import { secretTroublesFrom } from './protocol';

const one = { kind: 'certificate', name: 'platform/edge-tls', state: 'missing', reason: 'there is none' };

test('what is said of secrets is heard, but for words that nobody knows here', () => {
  expect(secretTroublesFrom({})).toEqual([]);
  expect(secretTroublesFrom({ secrets: [one, { ...one, state: 'lent' }, { ...one, kind: 'ticket' }] })).toEqual([one]);
});
test.each([[one], [{ ...one, reason: 'x'.repeat(2_000) }], [{ ...one, name: 7 }], [null]])('and no nonsense: %#', (value) => {
  expect(() => secretTroublesFrom({ secrets: value === one ? value : [value] })).toThrow();
});
