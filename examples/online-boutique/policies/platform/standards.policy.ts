import { mesh } from '../mesh.policy';

export const everywhere = mesh.standard({
  for: mesh,
  defaults: { mtls: 'strict', timeout: '2s', retry: { atMost: 1, perTry: '200ms', on: ['connect-failure', 'unavailable'] } },
  bounds: { mtls: 'strict', timeout: { max: '10s' }, retries: { max: 2 } },
});
