import { internet } from 'meshwright/policy';
import { expect, reachableFrom, test } from 'meshwright/testing';
import { ingress } from '#platform';
import { productpage } from './services.policy';

test('the product page is all that is reached from outside', () =>
  expect(reachableFrom(internet.through(ingress))).toEqual([productpage.ports.http]));
