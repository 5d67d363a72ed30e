import { anyone, never } from 'meshwright/policy';
import { checkout } from '#orders';
import { payment } from './services.policy';

export const checkoutCharges = payment.ports.grpc.allow({ from: checkout, methods: ['hipstershop.PaymentService/Charge'] });
export const onlyCheckoutCharges = never({ from: anyone.except(checkout), to: payment });
// A charge is made once.
export const chargeRoutes = payment.ports.grpc.route({ otherwise: { to: payment.ports.grpc, timeout: '3s', retry: 'none' } });
