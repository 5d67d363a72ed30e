import { share } from 'meshwright/policy';
import * as own from './services.policy';

export const { details, productpage, reviews } = share(own); // what other teams may name; ratings stay ours
