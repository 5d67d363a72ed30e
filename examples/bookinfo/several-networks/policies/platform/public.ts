import { share } from 'meshwright/policy';
import * as own from './services.policy';

export const { crossing, ingress } = share(own);
