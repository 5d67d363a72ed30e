import { ask, callersOf, expect, reachableFrom, test } from 'meshwright/testing';
import { checkout } from '#orders';
import { frontend } from '#storefront';
import { chargeRoutes, checkoutCharges } from './payments.policy';
import { payment } from './services.policy';

const charge = { to: payment.ports.grpc, request: 'hipstershop.PaymentService/Charge' } as const;

test('only checkout charges cards, and charges once', () => {
  const answer = ask({ from: checkout, ...charge });
  expect(answer).toBeAllowedBy(checkoutCharges);
  expect(answer).toTakeRoute(chargeRoutes);
  expect(answer).not.toRetry();
  expect(answer).toTimeOutAfter('3s');
  expect(ask({ from: frontend, ...charge })).toBeRefusedWith(403);
  expect(callersOf(payment.ports.grpc)).toEqual([checkout]);
  const reflection = { to: payment.ports.grpc, request: 'grpc.reflection.v1.ServerReflection/ServerReflectionInfo' } as const;
  expect(ask({ from: checkout, ...reflection })).toBeDenied();
});
test('a card is charged where payment is well, which whoever charges may ask', () => {
  expect(ask({ from: checkout, ...charge })).toBeReachedWith({
    health: { grpc: 'server', every: '10s', timeout: '1s' },
    eject: { consecutive5xx: 3, for: '30s', atMost: '50%' },
  });
  const well = { to: payment.ports.grpc, request: 'grpc.health.v1.Health/Check' } as const;
  expect(ask({ from: checkout, ...well })).toBeAllowed();
  expect(ask({ from: frontend, ...well })).toBeDenied();
});
test('payment calls nobody', () => expect(reachableFrom(payment)).toEqual([]));
