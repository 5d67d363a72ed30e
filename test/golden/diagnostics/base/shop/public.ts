import { share } from 'meshwright/policy';
import * as own from './services.policy';

export const { cart, front } = share(own);
