/** What Pulumi's engine is told: a mesh is its objects, and then the release that puts them in force. */
import * as pulumi from '@pulumi/pulumi';
import type { Bundle } from '../core/bundle/bundle';
import { shortDigest, type Digest } from '../core/lib/digest';
import { meshObjectToken, type MeshObjectInputs } from './provider/mesh-object';
import { releaseToken, type ReleaseInputs } from './provider/release';
import { pluginVersion } from './provider/version';

export interface MeshArgs {
  readonly bundle: Pick<Bundle, 'release' | 'objects'>;
  /** How long a roll-out may take before the update fails (the roll-out itself goes on). Default ten minutes. */
  readonly timeoutMs?: number;
}

/** The options that both resource types share; the digest is part of an object's name, so an object is made or removed, never changed. */
class MeshObject extends pulumi.CustomResource {
  constructor(name: string, inputs: MeshObjectInputs, options: pulumi.CustomResourceOptions) {
    super(meshObjectToken, name, inputs, { ...options, version: pluginVersion });
  }
}
class Release extends pulumi.CustomResource {
  declare readonly generation: pulumi.Output<number>;
  declare readonly digest: pulumi.Output<string>;
  declare readonly commit: pulumi.Output<string>;
  constructor(name: string, inputs: ReleaseInputs, options: pulumi.CustomResourceOptions) {
    super(releaseToken, name, inputs, { ...options, version: pluginVersion });
  }
}

/**
 * Everything an environment's release needs: the objects of both its sets (those in force before must stay until it is over, and are removed by the
 * release after it), then the release, which depends on the objects it puts in force.
 */
export class Mesh extends pulumi.ComponentResource {
  readonly generation: pulumi.Output<number>;
  readonly digest: pulumi.Output<string>;
  readonly commit: pulumi.Output<string>;

  constructor(name: string, args: MeshArgs, options: pulumi.ComponentResourceOptions = {}) {
    super('meshwright:index:Mesh', name, {}, options);
    const { release, digest } = args.bundle.release;
    const { environment } = release;
    const kids = new Map(args.bundle.objects.map((object) => [object.digest, kidOf(object.jws)]));
    const declared = (objectName: string, object: Digest): MeshObject => {
      const kid = kids.get(object);
      const inputs: MeshObjectInputs = { environment, name: objectName, digest: object, ...(kid === undefined ? {} : { kid }) };
      return new MeshObject(`${objectName}.${shortDigest(object)}`, inputs, { parent: this });
    };
    const objects = Object.entries(release.candidate).map(([objectName, object]) => declared(objectName, object));
    for (const [objectName, object] of Object.entries(release.stable)) {
      if (release.candidate[objectName] !== object) declared(objectName, object);
    }
    const settled = sameSet(release.stable, release.candidate);
    const live = new Release(
      environment,
      { environment, generation: release.generation, digest, commit: release.commit, candidate: release.candidate, settled },
      { parent: this, dependsOn: objects, customTimeouts: customTimeouts(args.timeoutMs) },
    );
    this.generation = live.generation;
    this.digest = live.digest;
    this.commit = live.commit;
    this.registerOutputs({ generation: this.generation, digest: this.digest, commit: this.commit });
  }
}

/** The inline program of a bundle. */
export const meshProgram = (args: MeshArgs) => async (): Promise<Record<string, unknown>> => {
  const mesh = new Mesh(args.bundle.release.release.environment, args);
  return { generation: mesh.generation, digest: mesh.digest, commit: mesh.commit };
};

function customTimeouts(timeoutMs = 600_000): pulumi.CustomTimeouts {
  const seconds = `${Math.max(1, Math.ceil(timeoutMs / 1000))}s`;
  return { create: seconds, update: seconds };
}

/** The id of the key that a compact JWS names; undefined for one that cannot be read, which the control plane will refuse. */
function kidOf(jws: string): string | undefined {
  try {
    const header: unknown = JSON.parse(Buffer.from(jws.split('.', 1)[0] ?? '', 'base64url').toString('utf8'));
    return typeof header === 'object' && header !== null && 'kid' in header && typeof header.kid === 'string' ? header.kid : undefined;
  } catch {
    return undefined;
  }
}

function sameSet(a: { readonly [name: string]: string }, b: { readonly [name: string]: string }): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
