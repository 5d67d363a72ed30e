/**
 * A mesh on Kubernetes as Pulumi resources of `@pulumi/kubernetes`: the objects of both sets as custom resources, then the release, whose update is the
 * roll-out. For a program of one's own: `import { Mesh } from 'meshwright/deploy'`.
 *
 * Objects are immutable and named by their digest, so an update creates and deletes, and changes nothing but the release. The engine deletes last: what is
 * in neither set any more goes after the release has converged.
 */
import { CustomResource } from '@pulumi/kubernetes/apiextensions/customResource';
import * as pulumi from '@pulumi/pulumi';
import type { Bundle } from '../../core/bundle/bundle';
import { releaseResource, resourceName } from '../../core/bundle/custom-resource';
import { apiVersion, type SignedObject, type SignedRelease } from '../../core/bundle/objects';
import { objectResources } from '../../core/bundle/parts';
import { shortDigest, type Digest } from '../../core/lib/digest';

export interface MeshArgs {
  /** A signed bundle, as `readBundle` reads it. */
  readonly bundle: Pick<Bundle, 'release' | 'objects'>;
  /**
   * The objects of the release's stable set that the bundle does not hold, as the cluster has them (`readCluster`). Without it, Pulumi's state is relied on
   * to know them, which it can for objects of one resource (below 1 MB); with it, one that is not among them is taken for gone.
   */
  readonly carried?: readonly SignedObject[];
  /** How long a roll-out may take before the update fails; the roll-out itself goes on. Default ten minutes. */
  readonly timeoutMs?: number;
  /** An OIDC token of the CI job that deploys, for the admission webhook: audience `meshwright:<digest of the release>`. */
  readonly deployerToken?: pulumi.Input<string>;
}
export interface ReleaseArgs {
  readonly release: SignedRelease;
  readonly timeoutMs?: number;
  readonly deployerToken?: pulumi.Input<string>;
}

/** Where the admission webhook looks for the token of a CI job. */
export const tokenAnnotation = 'meshwright.dev/deployer-token';
/** One manager for the fields of objects and releases, whoever deploys: a pipeline, the loop, a person after the state was lost. */
export const fieldManager = 'meshwright';
const managerAnnotation = { 'pulumi.com/patchFieldManager': fieldManager } as const;
const owned = <T extends { readonly metadata: object }>(resource: T) => ({
  ...resource,
  metadata: { ...resource.metadata, annotations: managerAnnotation },
});

/**
 * The release of an environment. Its update ends when the control plane writes the release's digest to `status.converged`: an answer about an older one
 * cannot be taken for it.
 */
export class Release extends pulumi.ComponentResource {
  readonly generation: pulumi.Output<number>;
  readonly digest: pulumi.Output<string>;
  readonly commit: pulumi.Output<string>;

  /** `options.dependsOn`: the objects that it puts in force. */
  constructor(name: string, args: ReleaseArgs, options: pulumi.ComponentResourceOptions = {}) {
    super('meshwright:kubernetes:Release', name, {}, options);
    const resource = releaseResource(args.release);
    const { dependsOn } = options;
    const live = new CustomResource(
      name,
      {
        ...resource,
        metadata: {
          ...resource.metadata,
          annotations: {
            ...managerAnnotation,
            'pulumi.com/waitFor': `jsonpath={.status.converged}=${args.release.digest}`,
            ...(args.deployerToken === undefined ? {} : { [tokenAnnotation]: pulumi.secret(args.deployerToken) }),
          },
        },
      },
      // The time is not an annotation: another time would be another release to Pulumi.
      { parent: this, customTimeouts: customTimeouts(args.timeoutMs), ...(dependsOn === undefined ? {} : { dependsOn }) },
    );
    const { generation, commit } = args.release.release;
    const after = <T>(value: T): pulumi.Output<T> => live.id.apply(() => value);
    this.generation = after(generation);
    this.digest = after(args.release.digest);
    this.commit = after(commit);
    this.registerOutputs({ generation: this.generation, digest: this.digest, commit: this.commit });
  }
}

/** Everything an environment's release needs, in the order in which it is safe. */
export class Mesh extends pulumi.ComponentResource {
  readonly generation: pulumi.Output<number>;
  readonly digest: pulumi.Output<string>;
  readonly commit: pulumi.Output<string>;

  constructor(name: string, args: MeshArgs, options: pulumi.ComponentResourceOptions = {}) {
    super('meshwright:kubernetes:Mesh', name, {}, options);
    const { release } = args.bundle.release;
    const { environment, stable, candidate } = release;
    const known = new Map([...(args.carried ?? []), ...args.bundle.objects].map((signed) => [signed.digest, signed]));
    const objects = Object.entries(candidate).flatMap(([objectName, digest]) => {
      const signed = known.get(digest);
      if (signed === undefined) throw new pulumi.RunError(`the bundle does not hold \`${objectName}\` (${digest})`);
      return objectResources(signed, environment).map(
        (resource, part) => new CustomResource(logicalName(objectName, digest, part), owned(resource), { parent: this }),
      );
    });
    for (const [objectName, digest] of Object.entries(stable)) {
      if (candidate[objectName] === digest || (args.carried !== undefined && !known.has(digest))) continue;
      carry(objectName, digest, known.get(digest), environment, this);
    }
    const live = new Release(
      environment,
      {
        release: args.bundle.release,
        ...(args.timeoutMs === undefined ? {} : { timeoutMs: args.timeoutMs }),
        ...(args.deployerToken === undefined ? {} : { deployerToken: args.deployerToken }),
      },
      { parent: this, dependsOn: objects },
    );
    this.generation = live.generation;
    this.digest = live.digest;
    this.commit = live.commit;
    this.registerOutputs({ generation: this.generation, digest: this.digest, commit: this.commit });
  }
}

/**
 * An object in force that the bundle does not hold stays until the release after this one. Pulumi's state has its content, and the engine is told to keep
 * that (`ignoreChanges`); what is given here counts only when the state does not know the object.
 */
function carry(objectName: string, digest: Digest, signed: SignedObject | undefined, environment: string, parent: pulumi.Resource): void {
  const [kind = '', namespace = '', name = ''] = objectName.split('/');
  if (signed === undefined) {
    const resource = owned({ apiVersion, kind, metadata: { namespace, name: resourceName(name, digest) } });
    new CustomResource(logicalName(objectName, digest, 0), resource, { parent, ignoreChanges: ['spec', 'proof'] });
    return;
  }
  for (const [part, resource] of objectResources(signed, environment).entries()) {
    const ignoreChanges = ['spec' in resource ? 'spec' : 'packed', 'proof'];
    new CustomResource(logicalName(objectName, digest, part), owned(resource), { parent, ignoreChanges });
  }
}

/** `ServiceConfig/bookinfo/reviews.web.3f2a90b1c4de`; the further resources of a big object have their number behind. */
const logicalName = (objectName: string, digest: Digest, part: number): string =>
  `${objectName}.${shortDigest(digest)}${part === 0 ? '' : `.part-${part}`}`;

function customTimeouts(timeoutMs = 600_000): pulumi.CustomTimeouts {
  const seconds = `${Math.max(1, Math.ceil(timeoutMs / 1000))}s`;
  return { create: seconds, update: seconds };
}
