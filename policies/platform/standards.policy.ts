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
// What the mesh is tested with: a proxy or a cluster outside is refused before it serves anybody.
export const stack = mesh.versions({
  ranges: { envoy: { min: '1.36.0', below: '1.41.0' }, kubernetes: { min: '1.30.0' } },
});
