import { namespace, workload } from 'meshwright/policy';

export const orders = namespace('orders', { team: 'orders', tags: { tier: 'silver' } });
export const reporter = workload(orders, 'reporter', { serviceAccount: 'reporter' }); // consumes, is never called
