import { cart } from '#shop';
import { charge } from './services.policy';

export const cartCharges = charge.ports.api.allow({ from: cart, requests: ['POST /charges'] });
