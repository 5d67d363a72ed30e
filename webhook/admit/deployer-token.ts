/**
 * The proof of a CI job that deploys: an OpenID Connect token in an annotation of the Release, made for this very release (its audience is the
 * digest), by the one issuer that the installation names. The keys are at hand: nothing is fetched while somebody waits for a verdict.
 */
import { createLocalJWKSet, decodeJwt, errors, jwtVerify, type JSONWebKeySet } from 'jose';
import type { Digest } from '../../core/lib/digest';
import type { JobClaims } from './deployers';

export const tokenAnnotation = 'meshwright.dev/deployer-token';
const algorithms = ['RS256', 'ES256', 'EdDSA'];
const maxToken = 16_384;
const skewSeconds = 30;

export interface TokenSource {
  readonly issuer: string;
  /** null: the issuer's keys were never had. */
  keys(): JSONWebKeySet | null;
}
export type TokenOutcome = { readonly kind: 'proved'; readonly job: JobClaims } | { readonly kind: 'refused'; readonly reason: string };
export interface TokenVerifier {
  verify(token: string, release: Digest, now: number): Promise<TokenOutcome>;
}

/** The audience that a job asks its token for. */
export const audienceOf = (release: Digest): string => `meshwright:${release}`;

/** A verifier by the issuers of the installation. A token is held to the issuer that it names, and to no other. */
export function tokenVerifier(sources: readonly TokenSource[]): TokenVerifier {
  return {
    async verify(token, release, now) {
      const refused = (reason: string): TokenOutcome => ({ kind: 'refused', reason });
      if (token.length > maxToken) return refused('it is too long');
      if (sources.length === 0) return refused('this installation trusts no issuer of tokens');
      try {
        const named = decodeJwt(token).iss;
        const source = sources.find(({ issuer }) => issuer === named);
        if (source === undefined) return refused('its issuer is none that this installation trusts');
        const keys = source.keys();
        if (keys === null) return refused("the issuer's keys are not at hand");
        const { payload } = await jwtVerify(token, createLocalJWKSet(keys), {
          algorithms,
          issuer: source.issuer,
          audience: audienceOf(release),
          requiredClaims: ['exp', 'iat'],
          clockTolerance: skewSeconds,
          currentDate: new Date(now),
        });
        const { repository, ref, environment } = payload;
        if (typeof repository !== 'string' || typeof ref !== 'string') return refused('it names no repository and ref');
        return { kind: 'proved', job: { repository, ref, environment: typeof environment === 'string' ? environment : null } };
      } catch (error) {
        return refused(reasonOf(error));
      }
    },
  };
}

/** What jose found, in our words: its own may quote the token. */
function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'it has expired';
  if (error instanceof errors.JWTClaimValidationFailed) return `its claim \`${error.claim}\` is not the one wanted`;
  if (error instanceof errors.JWKSNoMatchingKey) return 'the issuer has no such key';
  if (error instanceof errors.JWKSMultipleMatchingKeys) return 'several keys of the issuer would fit: it needs a key id';
  if (error instanceof errors.JOSEAlgNotAllowed) return `its algorithm is none of ${algorithms.join(', ')}`;
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'its signature does not hold';
  return 'it is no token that can be read';
}
