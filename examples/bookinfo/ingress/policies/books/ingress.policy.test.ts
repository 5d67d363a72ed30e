import { internet } from 'meshwright/policy';
import { expect, reachableFrom, test } from 'meshwright/testing';
import { ingress } from '#platform';
import { details, productpage } from './services.policy';

test('pages and details are all that is reached from outside', () =>
  expect(reachableFrom(internet.through(ingress))).toEqual([details.ports.http, productpage.ports.http]));
