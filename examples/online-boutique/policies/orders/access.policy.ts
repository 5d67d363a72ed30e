import { anyone, never } from 'meshwright/policy';
import { frontend } from '#storefront';
import { cart, carts, checkout, email, shipping } from './services.policy';

export const pageOrders = checkout.ports.grpc.allow({ from: frontend, methods: ['hipstershop.CheckoutService/PlaceOrder'] });
export const pageKeepsCarts = cart.ports.grpc.allow({
  from: frontend,
  methods: ['hipstershop.CartService/AddItem', 'hipstershop.CartService/GetCart', 'hipstershop.CartService/EmptyCart'],
});
export const checkoutEmptiesCarts = cart.ports.grpc.allow({
  from: checkout,
  methods: ['hipstershop.CartService/GetCart', 'hipstershop.CartService/EmptyCart'],
});
export const cartsAreStored = carts.ports.redis.allow({ from: cart });
export const pageQuotes = shipping.ports.grpc.allow({ from: frontend, methods: ['hipstershop.ShippingService/GetQuote'] });
export const checkoutShips = shipping.ports.grpc.allow({
  from: checkout,
  methods: ['hipstershop.ShippingService/GetQuote', 'hipstershop.ShippingService/ShipOrder'],
});
export const checkoutConfirms = email.ports.grpc.allow({
  from: checkout,
  methods: ['hipstershop.EmailService/SendOrderConfirmation'],
});
export const storeIsPrivate = never({ from: anyone.except(cart), to: carts });
export const mailIsOfOrders = never({ from: anyone.except(checkout), to: email });
