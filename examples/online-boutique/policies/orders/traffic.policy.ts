import { checkout, email } from './services.policy';

// An order is placed once: what is not known to have failed is not tried again.
export const orderRoutes = checkout.ports.grpc.route({
  otherwise: { to: checkout.ports.grpc, timeout: '8s', retry: 'none' },
});
export const mailRoutes = email.ports.grpc.route({ otherwise: { to: email.ports.grpc, timeout: '5s' } });
