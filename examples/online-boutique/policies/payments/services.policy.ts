import { grpc, namespace, service } from 'meshwright/policy';

// Asked every ten seconds whether it is well, as its own readiness probe is; one that fails three times in a row is left out for half a minute.
export const payments = namespace('payments', {
  team: 'payments',
  settings: {
    health: { grpc: 'server', every: '10s', timeout: '1s' },
    eject: { consecutive5xx: 3, for: '30s', atMost: '50%' },
  },
});
export const payment = service(payments, 'paymentservice', {
  serviceAccount: 'paymentservice',
  ports: { grpc: grpc(50051, { methods: ['hipstershop.PaymentService/Charge'] }) },
});
