import { share } from 'meshwright/policy';
import * as own from './services.policy';

export const { charge } = share(own);
