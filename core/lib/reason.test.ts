import { reasonOf } from './reason';

test('the words of an error, or of what caused it', () => {
  expect(reasonOf(new Error('the disk is full'))).toBe('the disk is full');
  expect(reasonOf('a text')).toBe('a text');
  expect(reasonOf(new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED 127.0.0.1:1') }))).toBe(
    'connect ECONNREFUSED 127.0.0.1:1',
  );
  expect(reasonOf(new TypeError('fetch failed', { cause: Object.assign(new Error(''), { code: 'ECONNREFUSED' }) }))).toBe('ECONNREFUSED');
  expect(reasonOf(new Error('`a.json`: it is not JSON', { cause: new Error('it is not JSON') }))).toBe('`a.json`: it is not JSON');
});

test('a limit and a stop are told apart', async () => {
  expect(reasonOf(new DOMException('x', 'TimeoutError'))).toBe('it took too long');
  expect(reasonOf(AbortSignal.abort().reason)).toBe('it was cancelled');
});
