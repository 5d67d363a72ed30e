import { grpc, namespace, service } from 'meshwright/policy';

export const payments = namespace('payments', { team: 'payments' });
export const payment = service(payments, 'paymentservice', {
  serviceAccount: 'paymentservice',
  ports: { grpc: grpc(50051, { methods: ['hipstershop.PaymentService/Charge'] }) },
});
