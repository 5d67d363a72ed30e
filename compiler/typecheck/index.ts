export { typecheck, type TypecheckOptions } from './typecheck';
