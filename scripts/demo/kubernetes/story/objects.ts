import { join } from 'node:path';
import { signBundle, signerClient } from '../../../../compiler/sign';
import {
  meshNamespace,
  objectResource,
  releaseResource,
  resourceName,
  signedObjectOf,
  signedReleaseOf,
} from '../../../../core/bundle/custom-resource';
import type { MeshObject } from '../../../../core/bundle/objects';
import { digestOfJson } from '../../../../core/lib/digest';
import type { JsonObject } from '../../../../core/lib/json';
import type { CommandResult } from '../../../../platform/process';
import type { Step } from '../../report';
import { environment } from '../../set-up';
import { lastLine, type DemoCluster } from '../cluster';
import type { People } from '../people';
import type { ClusterSetUp } from '../set-up';

/** A refusal is shown as kubectl prints it: it must name what is wrong by its code. */
export function refused(step: Step, what: string, { code, stderr }: CommandResult, pattern: RegExp): void {
  const said = lastLine(stderr).replace(/^Error from server \(\w+\): /, '');
  step.check(what, code !== 0 && pattern.test(said), said || `exit ${code}, nothing said`);
}

interface Stored {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly spec: object;
  readonly proof: object;
}
/** One object as the API holds it, without what the server added. */
async function stored(cluster: DemoCluster, kind: string, namespace: string, name: string): Promise<Stored> {
  const { code, stdout, stderr } = await cluster.kubectl(['get', kind, name, '--namespace', namespace, '--output', 'json']);
  if (code !== 0) throw new Error(lastLine(stderr));
  const { apiVersion, kind: found, spec, proof } = JSON.parse(stdout) as Stored;
  return { apiVersion, kind: found, metadata: { namespace, name }, spec, proof };
}

/** h) Objects and releases: nothing gets in by hand, be it edited, copied, or brought by somebody who is no deployer; nothing in force goes. */
export async function letsNothingIn({ cluster, stage, mesh }: ClusterSetUp, people: People, step: Step): Promise<void> {
  const before = await stage.responses();
  const { release } = signedReleaseOf(await stored(cluster, 'releases', meshNamespace, environment));
  const key = 'ServiceConfig/bookinfo/reviews.web';
  // After a release that was given up, what it began with is in force.
  const inForce = release[(await stage.rollout()).inForce ?? 'candidate'];
  const digest = inForce[key];
  if (!digest) throw new Error(`the live release has no ${key}`);
  const name = resourceName('reviews.web', digest);
  const reviews = await stored(cluster, 'serviceconfigs', 'bookinfo', name);

  const spec = JSON.parse(JSON.stringify(reviews.spec).replaceAll('"2s"', '"60s"')) as JsonObject;
  const apply = (object: object): Promise<CommandResult> => cluster.kubectl(['apply', '-f', '-'], { objects: [object] });
  refused(step, "the reviews' time limit, edited by the cluster's administrator", await apply({ ...reviews, spec }), /spec is immutable/);
  const { signed: was } = signedObjectOf(reviews);
  const forged = { ...was.object, spec } as MeshObject; // its form is the server's to judge
  refused(
    step,
    'the same as an object of its own, its digest made anew',
    await apply(objectResource({ object: forged, digest: digestOfJson(forged), jws: was.jws }, environment)),
    /MW8003/,
  );
  const copied = { ...reviews, metadata: { namespace: 'orders', name } };
  refused(step, 'a signed object, copied to another namespace', await apply(copied), /MW8003/);
  refused(
    step,
    'an object in force, deleted',
    await cluster.kubectl(['delete', 'serviceconfigs', name, '--namespace', 'bookinfo', '--wait=false']),
    /MW8006/,
  );
  refused(
    step,
    'the live release, deleted',
    await cluster.kubectl(['delete', 'release', environment, '--namespace', meshNamespace, '--wait=false']),
    /MW8007/,
  );

  // The next release, well made, with the key for dry runs: only who brings it differs.
  const next = await signBundle(
    signerClient(join(mesh.dir, 'signer', 's.sock')),
    {
      release: {
        ...release,
        generation: release.generation + 1,
        parent: digestOfJson(release),
        stable: inForce,
        candidate: inForce,
        steps: [],
        notAfter: new Date(Date.now() + 3_600_000).toISOString(),
      },
      objects: [],
      sources: {},
    },
    'preview',
  );
  if (!next.value) throw new Error(next.diagnostics.map((one) => one.message).join('; '));
  const resource = releaseResource(next.value.release);
  const bring = (kubeconfig: string): Promise<CommandResult> =>
    cluster.kubectl(['apply', '--server-side', '--force-conflicts', '--dry-run=server', '--field-manager=meshwright', '-f', '-'], {
      objects: [resource],
      kubeconfig,
    });
  refused(step, 'a good release, brought by a developer', await bring(people.dan), /MW8008/);
  const loop = await bring(people.gitops);
  step.check('the very same, brought by the loop, would be let in', loop.code === 0, lastLine(loop.code === 0 ? loop.stdout : loop.stderr));
  refused(
    step,
    'a release said to have converged, by hand',
    await cluster.kubectl(
      [
        ...['patch', 'release', environment, '--namespace', meshNamespace, '--subresource=status', '--type=merge'],
        ...['--patch', JSON.stringify({ status: { message: 'all is well' } })],
      ],
      { kubeconfig: people.dan },
    ),
    /MW8011/,
  );
  const after = await stage.responses();
  step.check(
    'and no proxy was told anything',
    [...after].every(([instance, count]) => before.get(instance) === count),
    `generation ${(await stage.rollout()).generation}`,
  );
}
