import { grpc, namespace, redis, service } from 'meshwright/policy';

export const orders = namespace('orders', { team: 'orders' });
export const checkout = service(orders, 'checkoutservice', {
  serviceAccount: 'checkoutservice',
  ports: { grpc: grpc(5050, { methods: ['hipstershop.CheckoutService/PlaceOrder'] }) },
});
export const cart = service(orders, 'cartservice', {
  serviceAccount: 'cartservice',
  ports: {
    grpc: grpc(7070, {
      methods: ['hipstershop.CartService/AddItem', 'hipstershop.CartService/GetCart', 'hipstershop.CartService/EmptyCart'],
    }),
  },
});
export const carts = service(orders, 'redis-cart', { serviceAccount: 'redis-cart', ports: { redis: redis(6379) } });
export const shipping = service(orders, 'shippingservice', {
  serviceAccount: 'shippingservice',
  ports: { grpc: grpc(50051, { methods: ['hipstershop.ShippingService/GetQuote', 'hipstershop.ShippingService/ShipOrder'] }) },
});
export const email = service(orders, 'emailservice', {
  serviceAccount: 'emailservice',
  ports: { grpc: grpc(5000, { methods: ['hipstershop.EmailService/SendOrderConfirmation'] }) },
});
