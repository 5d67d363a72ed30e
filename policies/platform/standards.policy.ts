import { tagged } from 'meshwright/policy';
import { mesh } from '../mesh.policy';

export const everywhere = mesh.standard({
  for: mesh,
  defaults: {
    mtls: 'strict',
    timeout: '5s',
    retry: { atMost: 1, perTry: '1s', on: ['connect-failure'] },
  },
  bounds: { mtls: 'strict', timeout: { max: '30s' }, retries: { max: 3 } },
});
export const gold = mesh.standard({ for: tagged({ tier: 'gold' }), defaults: { timeout: '3s' }, bounds: { timeout: { max: '10s' } } });
