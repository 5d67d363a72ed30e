import type { CommandResult } from '../../../../platform/process';
import type { Step } from '../../report';
import { lastLine } from '../cluster';
import { sampleImage } from '../layout';
import type { People } from '../people';
import type { ClusterSetUp } from '../set-up';
import { refused } from './objects';

interface PodParts {
  readonly image?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly account?: string;
}
const pod = (
  name: string,
  { image = sampleImage('details'), labels = { app: 'details', version: 'v1' }, account = 'bookinfo-details' }: PodParts,
) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: 'bookinfo', name, labels: { 'app.kubernetes.io/version': '1.5.0', 'meshwright.dev/inject': 'true', ...labels } },
  spec: { serviceAccountName: account, containers: [{ name: 'app', image, ports: [{ name: 'web', containerPort: 9080 }] }] },
});

/** i) Workloads: who may deploy which image of which version is policy, and holds for real `kubectl`; a pod that asks for it gets its proxy. */
export async function judgesWorkloads({ cluster }: ClusterSetUp, people: People, step: Step): Promise<void> {
  const make = (as: string, object: object): Promise<CommandResult> =>
    cluster.kubectl(['create', '--dry-run=server', '--output=json', '-f', '-'], { objects: [object], kubeconfig: as });
  refused(step, 'an image by tag', await make(people.jane, pod('by-tag', { image: 'ghcr.io/acme/details:1.5' })), /MW8022/);
  refused(
    step,
    "an image of somebody else's registry",
    await make(people.jane, pod('elsewhere', { image: `docker.io/library/${sampleImage('details').split('/').at(-1)}` })),
    /MW8021/,
  );
  refused(step, 'a good pod, brought by a developer', await make(people.dan, pod('by-dan', {})), /MW8020/);
  refused(
    step,
    'reviews of a version that policy has left behind',
    await make(
      people.jane,
      pod('old', {
        image: sampleImage('reviews'),
        labels: { app: 'reviews', version: 'v1', 'app.kubernetes.io/version': '1.3.9' },
        account: 'bookinfo-reviews',
      }),
    ),
    /MW8025/,
  );
  refused(step, 'a workload that no policy declares', await make(people.jane, pod('stray', { labels: { app: 'miner' } })), /MW8027/);
  refused(
    step,
    'a workload under an account that is not its own',
    await make(people.jane, pod('guise', { account: 'bookinfo-reviews' })),
    /MW8028/,
  );

  const good = await make(people.jane, pod('details-2', {}));
  const made = good.code === 0 ? sidecarIn(good.stdout) : null;
  step.check('the same by who is on call is let in, with agent and Envoy put in', made !== null, made ?? lastLine(good.stderr));
}

/** The native sidecar of a pod as the server would store it. */
function sidecarIn(text: string): string | null {
  const { spec } = JSON.parse(text) as {
    readonly spec: {
      readonly initContainers?: readonly { readonly name: string; readonly image: string; readonly restartPolicy?: string }[];
    };
  };
  const sidecar = spec.initContainers?.find(({ restartPolicy }) => restartPolicy === 'Always');
  return sidecar ? `init container \`${sidecar.name}\`, image ${sidecar.image}, restartPolicy Always` : null;
}
