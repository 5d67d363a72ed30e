/**
 * What is signed: the exact bytes behind each JWS. Both forms are canonical JSON, so that a verifier makes them anew from the content and
 * compares, and never acts on what a payload says by itself.
 */
import { digestOfJson, type Digest } from '../lib/digest';
import { canonicalJson } from '../lib/json';
import type { MeshObject, Release } from './objects';
import { objectName } from './objects';
import { partDigests } from './packing';

/** JWS `typ`: keeps a signature over the one kind from being taken for the other. */
export const objectType = 'meshwright-object+jws';
export const releaseType = 'meshwright-release+jws';

/** What binds an object to its name and environment. `sha256`: 64 hexadecimal digits of the object's canonical JSON. */
export interface ObjectStatement {
  readonly environment: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly sha256: string;
  /** Of an object that is packed (see packing.ts): the SHA-256 of each part in order, so that one signature covers the whole and every part. */
  readonly parts?: readonly string[];
}

/** The statement of an object for an environment; with `packed`, its parts in base64. */
export function objectStatement(object: MeshObject, environment: string, packed?: readonly string[]): ObjectStatement {
  return {
    environment,
    kind: object.kind,
    namespace: object.metadata.namespace,
    name: object.metadata.name,
    sha256: hex(digestOfJson(object)),
    ...(packed === undefined ? {} : { parts: partDigests(packed) }),
  };
}

/** Digests of the files that lie beside release and objects in a bundle (`sources.json`, other targets): path -> digest. */
export type Byproducts = { readonly [path: string]: Digest };

interface Subject {
  readonly name: string;
  readonly digest: { readonly sha256: string };
}

/** An in-toto Statement v1 with SLSA provenance v1 as predicate; the Release is its external parameter. */
export interface ReleaseStatement {
  readonly _type: 'https://in-toto.io/Statement/v1';
  readonly predicateType: 'https://slsa.dev/provenance/v1';
  readonly subject: readonly Subject[];
  readonly predicate: {
    readonly buildDefinition: {
      readonly buildType: 'https://meshwright.dev/release/v1alpha1';
      readonly externalParameters: { readonly release: Release };
      readonly resolvedDependencies: readonly [{ readonly uri: string; readonly digest: { readonly gitCommit: string } }];
    };
    readonly runDetails: {
      readonly builder: { readonly id: 'https://meshwright.dev/compiler'; readonly version: { readonly meshwright: string } };
      readonly byproducts: readonly Subject[];
    };
  };
}

/** The statement of a release: the release itself and every object it puts in force are its subjects. */
export function releaseStatement(release: Release, byproducts: Byproducts = {}): ReleaseStatement {
  return {
    _type: 'https://in-toto.io/Statement/v1',
    predicateType: 'https://slsa.dev/provenance/v1',
    subject: [
      { name: `Release/${release.environment}/${release.generation}`, digest: { sha256: hex(digestOfJson(release)) } },
      ...subjects(release.candidate),
    ],
    predicate: {
      buildDefinition: {
        buildType: 'https://meshwright.dev/release/v1alpha1',
        externalParameters: { release },
        resolvedDependencies: [{ uri: `git+${release.repository}`, digest: { gitCommit: release.commit } }],
      },
      runDetails: {
        builder: { id: 'https://meshwright.dev/compiler', version: { meshwright: release.compiler } },
        byproducts: subjects(byproducts),
      },
    },
  };
}

/** The bytes that are signed. */
export const statementBytes = (statement: ObjectStatement | ReleaseStatement): Uint8Array =>
  new TextEncoder().encode(canonicalJson(statement));

/** `ServiceConfig/bookinfo/reviews.web`, `Release/prod/7`: how messages name a signed thing. */
export const describeObject = (object: MeshObject): string => objectName(object);
export const describeRelease = (release: Release): string => `Release/${release.environment}/${release.generation}`;

const hex = (digest: Digest): string => digest.slice('sha256:'.length);
const subjects = (digests: { readonly [name: string]: Digest }): Subject[] =>
  Object.entries(digests)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([name, digest]) => ({ name, digest: { sha256: hex(digest) } }));
