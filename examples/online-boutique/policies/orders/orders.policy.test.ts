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
  const add = 'hipstershop.CartService/AddItem';
  const empty = 'hipstershop.CartService/EmptyCart';
  expect(ask({ from: frontend, to: cart.ports.grpc, request: add })).toBeAllowedBy(may.pageKeepsCarts);
  expect(ask({ from: checkout, to: cart.ports.grpc, request: empty })).toBeAllowedBy(may.checkoutEmptiesCarts);
  expect(ask({ from: checkout, to: cart.ports.grpc, request: add })).toBeDenied();
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
  expect(ask({ from: checkout, to: shipping.ports.grpc, request: ship })).toBeAllowedBy(may.checkoutShips);
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
