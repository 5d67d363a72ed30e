import { edge } from '#platform';
import { cart, front } from './services.policy';

export const cartRoutes = cart.ports.web.route({ rules: [], otherwise: { to: 'v1' } });
export const shopHost = edge.listeners.web.host('shop.acme.example').route({ otherwise: { to: front.ports.web } });
