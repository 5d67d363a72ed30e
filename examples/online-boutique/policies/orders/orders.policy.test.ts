import { ask, callersOf, expect, reachableFrom, test } from 'meshwright/testing';
import { payment } from '#payments';
import { currency, frontend, productcatalog } from '#storefront';
import * as may from './access.policy';
import { cart, carts, checkout, email, shipping } from './services.policy';
import { mailRoutes, orderRoutes } from './traffic.policy';

test('the page places orders, once each', () => {
  const order = ask({ from: frontend, to: checkout.ports.grpc, request: 'hipstershop.CheckoutService/PlaceOrder' });
  expect(order).toBeAllowedBy(may.pageOrders);
  expect(order).toTakeRoute(orderRoutes);
  expect(order).toTimeOutAfter('8s');
  expect(order).not.toRetry();
});
test('the page fills carts, checkout reads and empties them', () => {
  const cartOf = (method: string) => ({ to: cart.ports.grpc, request: `hipstershop.CartService/${method}` }) as const;
  for (const method of ['AddItem', 'GetCart', 'EmptyCart'])
    expect(ask({ from: frontend, ...cartOf(method) })).toBeAllowedBy(may.pageKeepsCarts);
  for (const method of ['GetCart', 'EmptyCart']) expect(ask({ from: checkout, ...cartOf(method) })).toBeAllowedBy(may.checkoutEmptiesCarts);
  expect(ask({ from: checkout, ...cartOf('AddItem') })).toBeDenied();
});
test('only the cart reaches its store', () => {
  expect(ask({ from: cart, to: carts.ports.redis })).toBeAllowedBy(may.cartsAreStored);
  expect(callersOf(carts.ports.redis)).toEqual([cart]);
});
test('the page asks for quotes, checkout ships', () => {
  const quote = 'hipstershop.ShippingService/GetQuote';
  const ship = 'hipstershop.ShippingService/ShipOrder';
  expect(ask({ from: frontend, to: shipping.ports.grpc, request: quote })).toBeAllowedBy(may.pageQuotes);
  expect(ask({ from: frontend, to: shipping.ports.grpc, request: ship })).toBeDenied();
  for (const request of [quote, ship] as const)
    expect(ask({ from: checkout, to: shipping.ports.grpc, request })).toBeAllowedBy(may.checkoutShips);
});
test('nobody else calls them, and nobody a method that is not in the contract', () => {
  expect(callersOf(checkout.ports.grpc)).toEqual([frontend]);
  for (const { grpc } of [cart.ports, shipping.ports]) expect(callersOf(grpc)).toEqual([checkout, frontend]);
  const request = 'grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
  for (const { grpc: to } of [checkout.ports, cart.ports, shipping.ports]) expect(ask({ from: frontend, to, request })).toBeDenied();
  for (const { grpc: to } of [cart.ports, shipping.ports, email.ports]) expect(ask({ from: checkout, to, request })).toBeDenied();
});
test('only checkout sends mail, with five seconds for it', () => {
  const mail = ask({ from: checkout, to: email.ports.grpc, request: 'hipstershop.EmailService/SendOrderConfirmation' });
  expect(mail).toBeAllowedBy(may.checkoutConfirms);
  expect(mail).toTakeRoute(mailRoutes);
  expect(mail).toTimeOutAfter('5s');
  expect(callersOf(email.ports.grpc)).toEqual([checkout]);
});
test('checkout reaches what an order needs, and no store', () =>
  expect(reachableFrom(checkout)).toEqual([
    cart.ports.grpc,
    currency.ports.grpc,
    email.ports.grpc,
    payment.ports.grpc,
    productcatalog.ports.grpc,
    shipping.ports.grpc,
  ]));
