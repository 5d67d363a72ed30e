import { mesh } from '../mesh.policy';

// Half of the proxies that a step concerns, a second to see them serve, then the rest.
export const waves = mesh.rollout({ for: mesh, waves: ['50%', '100%'], hold: '1s' });
