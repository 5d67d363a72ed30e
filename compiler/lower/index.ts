export { environmentsOf, lower } from './lower';
