import type { kind } from './marks';
import type { Scope } from './names';
import type { HttpsUrl, NonEmpty } from './units';

export interface Claim {
  readonly [kind]: 'claim';
}
export interface ClaimNamed {
  is(value: string): Claim;
  includes(value: string): Claim;
  oneOf(...values: NonEmpty<string>): Claim;
}
export declare function claim(name: string): ClaimNamed;
export interface User {
  readonly [kind]: 'user';
}
/** Claims hang on an issuer: there is no other way to write one. */
export interface Issuer extends Scope {
  readonly [kind]: 'issuer';
  user(...claims: readonly Claim[]): User;
}
export interface Jwks {
  readonly [kind]: 'jwks';
}
/** `file`: a key set of the repository, so that each change of keys is reviewed. `fetch`: what the issuer publishes (its `jwks_uri`), fetched while the mesh runs. */
export declare const jwks: { file(path: string): Jwks; fetch(url: HttpsUrl): Jwks };
export interface IssuerSpec {
  readonly url: HttpsUrl;
  /** Of which a token names one. `https://shop`, `http://shop/` and `shop` are one audience. */
  readonly audiences: NonEmpty<string>;
  readonly keys: Jwks;
}
export declare function issuer(name: string, spec: IssuerSpec): Issuer;
