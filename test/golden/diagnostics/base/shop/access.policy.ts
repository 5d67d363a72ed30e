import { internet } from 'meshwright/policy';
import { edge } from '#platform';
import { cart, front } from './services.policy';

export const page = front.ports.web.allow({ from: internet.through(edge), requests: ['GET /'] });
export const frontReadsCarts = cart.ports.web.allow({ from: front, requests: ['GET /cart/{id}'] });
