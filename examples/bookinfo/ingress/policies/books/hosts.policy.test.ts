import { internet } from 'meshwright/policy';
import { ask, callersOf, expect, test } from 'meshwright/testing';
import { ingress } from '#platform';
import { api, moved, othersReadDetails } from './hosts.policy';
import { details, productpage } from './services.policy';

const outside = internet.through(ingress);
const { web } = ingress.listeners;

test('www is the same site without it', () => {
  const answer = ask({ from: outside, to: web.host('www.bookinfo.example'), request: 'GET /productpage?u=1' });
  expect(answer).toTakeRoute(moved);
  expect(answer).toRedirectTo('https://bookinfo.example/productpage?u=1');
  expect(answer).toBeAnsweredWith(301);
});
test('the API gives details, and nothing else', () => {
  const answer = ask({ from: outside, to: web.host('api.bookinfo.example'), request: 'GET /details/7' });
  expect(answer).toBeAllowedBy(othersReadDetails);
  expect(answer).toGoTo(details.ports.http);
  expect(answer).toTimeOutAfter('2s');
  const reviews = ask({ from: outside, to: web.host('api.bookinfo.example'), request: 'GET /reviews/7' });
  expect(reviews).toTakeRoute(api, 'otherwise');
  expect(reviews).toBeAnsweredWith(404, 'no such resource\n');
  expect(callersOf(details.ports.http)).toEqual([ingress, productpage]);
});
test('a host that the listener does not serve is refused', () =>
  expect(ask({ from: outside, to: web.host('bookinfo.example'), request: 'GET /', headers: { host: 'shop.example' } })).toBeRefusedWith(
    421,
  ));
