/** What client and signer say to each other: JSON over HTTP on a unix socket. */
import type { Release } from '../../core/bundle/objects';
import type { Byproducts, ObjectStatement } from '../../core/bundle/statement';
import type { PublicJwk } from '../../core/bundle/trust';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import type { KeyPurpose } from './keys';

/** `POST /v1/sign/objects`: at most `maxStatements`, all of one environment. Answer: the compact JWS of each, in order. */
export interface SignObjectsRequest {
  readonly environment: string;
  readonly purpose: KeyPurpose;
  readonly statements: readonly ObjectStatement[];
}
export interface SignObjectsAnswer {
  readonly signatures: readonly string[];
}
/** `POST /v1/sign/release`. A live one raises the signer's floor to the generation below it. */
export interface SignReleaseRequest {
  readonly purpose: KeyPurpose;
  readonly release: Release;
  readonly byproducts: Byproducts;
}
export interface SignReleaseAnswer {
  readonly jws: string;
}
/** `GET /v1/keys`: the public halves of the keys that sign now, and the floors. */
export interface SignerState {
  readonly keys: readonly (PublicJwk & { readonly environment: string; readonly purpose: KeyPurpose })[];
  readonly floors: { readonly [environment: string]: number };
}
/** Every refusal, with a status from 400. */
export interface SignerRefusal {
  readonly diagnostics: readonly Diagnostic[];
}

export const maxStatements = 50_000;
/** Bytes of a request. */
export const maxBody = 64 * 1024 * 1024;
