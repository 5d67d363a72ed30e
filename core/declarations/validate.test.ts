import { validateDeclarations } from './validate';

const namespace = { kind: 'namespace', name: 'bookinfo', team: 'books' };

test('a value of its kind is taken', () => {
  expect(validateDeclarations([namespace, { kind: 'unsupported', feature: 'x' }])).toEqual([]);
});

test.each([
  ['no kind', { name: 'bookinfo' }, 'kind', 'is missing'],
  ['an unknown kind', { kind: 'backdoor' }, 'kind', 'is no kind of declaration: `backdoor`'],
  ['a kind that is a method of objects', { kind: 'constructor' }, 'kind', 'is no kind of declaration: `constructor`'],
  ['no object', 'namespace', 'kind', 'is missing'],
  ['null', null, 'kind', 'is missing'],
  ['a missing key', { kind: 'namespace', name: 'bookinfo' }, '', "must have required property 'team'"],
  ['an unknown key', { ...namespace, owner: 'x' }, '', 'must NOT have additional properties: `owner`'],
  ['a wrong type', { ...namespace, name: 7 }, 'name', 'must be string'],
  [
    'a bad duration deep inside',
    { kind: 'rollout', for: [{ kind: 'mesh' }], waves: ['100%'], hold: 'soon' },
    'hold',
    'must match pattern "^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$"',
  ],
])('%s is told at its place', (_, value, at, says) => {
  expect(validateDeclarations([namespace, value])).toEqual([{ index: 1, at, says }]);
});
