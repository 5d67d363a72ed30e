import { service, tcp, workload } from 'meshwright/policy';
import { bookinfo } from './services.policy';

export const shell = workload(bookinfo, 'shell', { serviceAccount: 'shell' });
export const echo = service(bookinfo, 'tcp-echo', {
  serviceAccount: 'tcp-echo',
  ports: { echo: tcp(9000) },
  versions: ['v1', 'v2'],
});
