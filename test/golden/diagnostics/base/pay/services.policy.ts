import { http, namespace, service } from 'meshwright/policy';

export const pay = namespace('pay', { team: 'pay' });
export const charge = service(pay, 'charge', { serviceAccount: 'pay-charge', ports: { api: http(8080) } });
