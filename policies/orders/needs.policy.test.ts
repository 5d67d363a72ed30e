import { details } from '#books';
import { ask, expect, reachableFrom, test } from 'meshwright/testing';
import { reporter } from './services.policy';

test('the reporter reads details within a second, and reaches nothing else', () => {
  expect(ask({ from: reporter, to: details.ports.web, request: 'GET /details/7' })).toBeAllowed();
  expect(ask({ from: reporter, to: details.ports.web, request: 'GET /details/7' })).toTimeOutAfter('1s');
  expect(reachableFrom(reporter)).toEqual([details.ports.web]);
});
