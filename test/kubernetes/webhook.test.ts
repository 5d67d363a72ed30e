/**
 * The admission webhook asked by a real API server, with real kubectl on the other side; failures deny. The numbers are those of the list of black-box
 * cases that an admission webhook has to pass; what needs no API server is beside the source and in test/conformance.
 */
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { emitEnvoy } from '../../compiler/emit/envoy';
import { meshNamespace, objectResource, releaseResource, type ObjectResource } from '../../core/bundle/custom-resource';
import type { AdmissionRulesSpec } from '../../core/bundle/admission-rules';
import { apiVersion, type MeshObject, type Release, type SignedObject } from '../../core/bundle/objects';
import { digestOfJson } from '../../core/lib/digest';
import { principalOf, workloadKey, type RuleId } from '../../core/mesh/ids';
import type { CommandResult } from '../../platform/process';
import { KubeError, kubeObject, resources } from '../../platform/kube';
import { startKubernetes, type KubernetesServer } from '../../platform/kubernetes-server';
import type { RunningWebhook } from '../../webhook/main';
import { bookinfo } from '../kit/bookinfo-ir';
import { convergedStatus } from '../kit/converged';
import { patientKube } from '../kit/patient-kube';
import { newTestSigner, signTestObject, signTestRelease, testRelease, testReleaseAfter, type TestSigner } from '../kit/signing';
import { until } from '../kit/until';
import { installed, prepared, untilInForce, webhookFiles } from '../kit/webhook';

let dir: string;
let server: KubernetesServer;
let webhook: RunningWebhook;
let signer: TestSigner;
let preview: TestSigner;
let objects: readonly MeshObject[];
let team: string;
let someone: string;
let controlPlane: string;
let namespaceController: string;

beforeAll(async () => {
  dir = await fs.mkdtemp(join(tmpdir(), 'mw-webhook-'));
  server = await startKubernetes({ dir, controllers: false });
  [signer, preview] = await Promise.all([newTestSigner(), newTestSigner()]);
  const trust = { environments: { prod: { keys: [signer.jwk], previewKeys: [preview.jwk], generationFloor: 0 } } };
  const { value } = emitEnvoy(bookinfo());
  objects = [...(value?.services ?? []), ...(value?.proxies ?? []), rulesObject()];
  await prepared(server, ['bookinfo', 'platform', 'other']);
  webhook = await installed(server, await webhookFiles(dir, trust, server.kubeconfig));
  const masters = 'system:masters';
  team = await server.kubeconfigFor('ann', ['release-team', masters]);
  someone = await server.kubeconfigFor('mallory', [masters]);
  controlPlane = await server.kubeconfigFor('system:serviceaccount:meshwright:control-plane', [masters]);
  namespaceController = await server.kubeconfigFor('system:serviceaccount:kube-system:namespace-controller', [masters]);
}, 1_800_000);
afterAll(async () => {
  await webhook?.close();
  await server?.stop();
  await fs.rm(dir, { recursive: true, force: true });
});

const send = (
  verb: 'create' | 'apply' | 'replace',
  object: unknown,
  kubeconfig?: string,
  ...flags: readonly string[]
): Promise<CommandResult> =>
  server.kubectl([verb, ...(verb === 'apply' ? ['--server-side', '--force-conflicts'] : []), '-f', '-', ...flags], {
    input: JSON.stringify(object),
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
  });
const remove = (kind: string, namespace: string, name: string, kubeconfig?: string): Promise<CommandResult> =>
  server.kubectl(['-n', namespace, 'delete', kind, name, '--wait=false'], kubeconfig === undefined ? {} : { kubeconfig });
const ok = (result: CommandResult): void =>
  expect({ code: result.code, stderr: result.stderr }).toEqual({ code: 0, stderr: expect.any(String) });
const denied = (result: CommandResult, code: string, ...parts: readonly string[]): void => {
  expect(result.code).not.toBe(0);
  // kubectl prints the causes of an `Invalid`, or the message where it deletes several: both name the code.
  expect(result.stderr).toMatch(new RegExp(`\\(${code}\\)|denied the request: ${code}: `));
  for (const part of parts) expect(result.stderr).toContain(part);
};

const image = (name: string): string => `ghcr.io/acme/${name}:1.4.0@sha256:${'0123456789abcdef'.repeat(4)}`;
const rulesObject = (): MeshObject => {
  const spec: AdmissionRulesSpec = {
    environment: 'prod',
    trustDomain: 'shop.example',
    namespaces: ['bookinfo'],
    workloads: [
      {
        workload: workloadKey('bookinfo', 'reviews'),
        principal: principalOf('shop.example', 'bookinfo', 'bookinfo-reviews'),
        serviceAccount: 'bookinfo-reviews',
        versions: ['v1', 'v2'],
        injected: true,
      },
    ],
    deploys: [
      {
        id: 'books/deploys' as RuleId, // a fixture's own id
        mode: 'deny',
        namespace: 'bookinfo',
        by: [{ kind: 'group', name: 'books' }],
        images: { from: ['ghcr.io/acme/'], digest: 'required' },
        version: { min: '1.2.0', below: '2.0.0', downgrade: 'deny' },
      },
    ],
  };
  return {
    apiVersion,
    kind: 'AdmissionRules',
    metadata: { namespace: meshNamespace, name: 'rules' },
    spec: JSON.parse(JSON.stringify(spec)),
  };
};
const service = (): MeshObject => {
  const found = objects.find((object) => object.kind === 'ServiceConfig' && object.metadata.name === 'reviews.web');
  if (found === undefined) throw new Error('no ServiceConfig of reviews');
  return found;
};
const proxy = (): MeshObject => {
  const found = objects.find((object) => object.kind === 'ProxyConfig' && object.metadata.namespace === 'bookinfo');
  if (found === undefined) throw new Error('no ProxyConfig');
  return found;
};
const signed = (object: MeshObject, by = signer): Promise<SignedObject> => signTestObject(by, object, 'prod');
const resourceOf = async (object: MeshObject, by = signer): Promise<ObjectResource> => objectResource(await signed(object, by), 'prod');
interface Editable {
  readonly metadata: Record<string, unknown>;
  readonly spec: { readonly virtualHost: { domains: readonly string[] }; readonly inbound: { readonly routes: unknown[] } };
  readonly proof: { name: string; environment: string };
}
/** As somebody with an editor would change it. */
const edited = (resource: ObjectResource, edit: (copy: Editable) => void): object => {
  const copy = JSON.parse(JSON.stringify(resource));
  edit(copy);
  return copy;
};

describe('objects', () => {
  test('17: a signed object is let in, with what the server adds to it, and again; metadata may change', async () => {
    for (const object of objects) ok(await send('apply', await resourceOf(object)));
    const resource = await resourceOf(service());
    ok(await send('apply', resource));
    ok(await server.kubectl(['-n', 'bookinfo', 'label', 'serviceconfigs', resource.metadata.name, 'team=books']));
  });

  test('16: one field changed by hand is refused by name, with what to do', async () => {
    const resource = await resourceOf(service());
    const result = await send(
      'apply',
      edited(resource, ({ spec }) => (spec.virtualHost.domains = ['*'])),
    );
    // The definition itself holds the content of an object that is there; under any other name the webhook refuses it.
    expect(result.stderr).toContain('spec is immutable');
    const elsewhere = edited(resource, ({ spec, metadata, proof }) => {
      spec.virtualHost.domains = ['*'];
      metadata['namespace'] = 'other';
      proof.name = 'reviews.web';
    });
    denied(
      await send('create', elsewhere),
      'MW8003',
      `The ServiceConfig "${resource.metadata.name}" is invalid: `,
      'to change something, change the policy and release it',
    );
  });

  test('18: an added list element is refused', async () => {
    const resource = await resourceOf(proxy());
    const widened = edited(resource, ({ spec }) => void spec.inbound.routes.push(spec.inbound.routes[0]));
    expect((await send('apply', widened)).stderr).toContain('spec is immutable');
    ok(await remove('proxyconfigs', 'bookinfo', resource.metadata.name)); // no release names it yet
    denied(await send('create', widened), 'MW8003', 'spec: ');
    ok(await send('create', resource));
  });
});

describe('proofs', () => {
  /** Objects that are not there yet: each case is a creation. */
  const variant = (): MeshObject => {
    const object = service();
    if (object.kind !== 'ServiceConfig') throw new Error('not a ServiceConfig');
    return { ...object, spec: { ...object.spec, envoyRange: { min: '1.36.0', below: '1.99.0' } } };
  };

  test('an unsigned object is refused', async () => {
    const resource = objectResource({ object: variant(), digest: digestOfJson(variant()), jws: '' }, 'prod');
    expect((await send('create', resource)).stderr).toContain('proof.jws: Invalid value: ""');
    const { proof: _proof, ...bare } = resource;
    expect((await send('create', bare)).stderr).toContain('proof: Required value');
  });
  test('a key that nobody trusts is refused', async () => {
    denied(
      await send('create', await resourceOf(variant(), await newTestSigner())),
      'MW8003',
      'proof.jws',
      'deploy the bundle as the signer signed it',
    );
  });
  test('19: a proof copied to another name, namespace, kind or environment is refused', async () => {
    const resource = await resourceOf(variant());
    const copies = {
      name: edited(resource, ({ metadata, proof }) => {
        proof.name = 'ratings.web';
        metadata['name'] = resource.metadata.name.replace('reviews', 'ratings');
      }),
      namespace: edited(resource, ({ metadata }) => (metadata['namespace'] = 'other')),
      kind: { ...edited(resource, () => undefined), kind: 'AdmissionRules' },
      environment: objectResource(await signTestObject(signer, variant(), 'stage'), 'stage'),
    };
    denied(await send('create', copies.name), 'MW8003', 'proof.name');
    denied(await send('create', copies.namespace), 'MW8003', 'metadata.namespace');
    expect((await send('create', copies.kind, undefined, '--validate=false')).stderr).toContain('spec.trustDomain: Required value');
    denied(await send('create', copies.environment), 'MW8004', 'proof.environment', 'stage');
    // A signature for another environment under the name of this one.
    denied(
      await send(
        'create',
        edited(copies.environment, ({ proof }) => (proof.environment = 'prod')),
      ),
      'MW8003',
      'proof.environment',
    );
  });
  test('10: a dry run has the same verdict, and preview keys count in it alone', async () => {
    const dry = '--dry-run=server';
    ok(await send('create', await resourceOf(variant()), undefined, dry));
    denied(await send('create', await resourceOf(variant(), await newTestSigner()), undefined, dry), 'MW8003');
    ok(await send('create', await resourceOf(variant(), preview), undefined, dry));
    denied(await send('create', await resourceOf(variant(), preview)), 'MW8003', 'MW6005');
    ok(await send('create', await resourceOf(variant())));
  });
  test('14: generateName makes no signed object', async () => {
    const resource = await resourceOf(variant());
    const unnamed = edited(resource, ({ metadata }) => {
      delete metadata['name'];
      metadata['generateName'] = 'reviews.web.';
    });
    expect((await send('create', unnamed)).stderr).toContain('metadata.name must end with the first 12 digits of proof.digest');
  });
});

/** The release that is live. */
let live: Release | null = null;
const lastRelease = (): Release => {
  if (live === null) throw new Error('nothing is live');
  return live;
};
/** What the control plane writes once every proxy is active. */
const statusOf = (content: Release): Promise<CommandResult> => converge(content, controlPlane);
const converge = async (content: Release, kubeconfig: string): Promise<CommandResult> => {
  const status = convergedStatus(digestOfJson(content));
  return server.kubectl(
    ['-n', meshNamespace, 'patch', 'releases', 'prod', '--subresource=status', '--type=merge', '-p', JSON.stringify({ status })],
    { kubeconfig },
  );
};

describe('releases', () => {
  let first: Release;
  const release = async (content: Release, by = signer): Promise<object> => releaseResource(await signTestRelease(by, content));
  beforeAll(() => {
    first = testRelease(objects);
  });

  test("before there is one, workloads are nobody's affair and objects may go", async () => {
    ok(await send('create', pod({ image: 'nginx' }), someone, '--dry-run=server'));
  });
  test('only a deployer releases, also on a dry run', async () => {
    for (const flags of [[], ['--dry-run=server']]) {
      denied(await send('create', await release(first), someone, ...flags), 'MW8008', '`mallory` is no deployer of releases');
    }
    ok(await send('create', await release(first), team, '--dry-run=server'));
  });
  test('a release must be signed by a trusted key, for this environment, and not be late', async () => {
    denied(await send('create', await release(first, await newTestSigner()), team), 'MW8009', 'proof.signature');
    denied(await send('create', await release(first, preview), team), 'MW8009');
    denied(await send('create', await release({ ...first, environment: 'stage' }), team), 'MW8004', 'spec.environment');
    denied(await send('create', await release({ ...first, notAfter: '2020-01-01T00:00:00Z' }), team), 'MW8009', 'spec.notAfter');
    ok(await send('create', await release(first), team));
  });
  test("the status is the control plane's alone", async () => {
    denied(await converge(first, team), 'MW8011', 'the control plane alone');
    ok(await converge(first, controlPlane));
  });
  test('20: generation, parent and set in force have to follow; the release before does not come back', async () => {
    const second = testReleaseAfter(first, objects);
    denied(await send('replace', await release({ ...second, generation: 3 }), team), 'MW8009', 'spec.generation');
    denied(await send('replace', await release({ ...second, parent: digestOfJson(second) }), team), 'MW8009', 'spec.parent');
    denied(await send('replace', await release({ ...second, stable: {} }), team), 'MW8009', 'spec.stable');
    ok(await send('apply', await release(second), team));
    expect((await send('apply', await release(first), team)).stderr).toContain('generation must rise');
    ok(await converge(second, controlPlane));
    await untilInForce(webhook, second.generation);
    first = second;
    live = second;
  });
  test("metadata of a release is the deployers' and the control plane's", async () => {
    const label = (kubeconfig: string): Promise<CommandResult> =>
      server.kubectl(['-n', meshNamespace, 'label', '--overwrite', 'releases', 'prod', `by=${Math.random().toString(36).slice(2)}`], {
        kubeconfig,
      });
    denied(await label(someone), 'MW8008');
    ok(await label(team));
    ok(await label(controlPlane));
  });
  test('11: what the live release names stays; what it does not name may go; a terminating namespace is emptied by its controller alone', async () => {
    const named = await resourceOf(service());
    denied(await remove('serviceconfigs', 'bookinfo', named.metadata.name), 'MW8006', 'names it in its candidate set');
    denied(await server.kubectl(['-n', 'bookinfo', 'delete', 'serviceconfigs', '--all', '--wait=false']), 'MW8006');
    denied(await remove('releases', meshNamespace, 'prod', team), 'MW8007', 'delete the namespace `meshwright`');
    const unnamed = objects.find((object) => object.metadata.namespace === 'platform');
    if (unnamed === undefined) throw new Error('nothing in platform');
    const { name } = (await resourceOf(unnamed)).metadata;
    denied(await remove('proxyconfigs', 'platform', name, namespaceController), 'MW8006');
    ok(await server.kubectl(['delete', 'namespace', 'platform', '--wait=false']));
    await until('the namespace is emptied', async () => (await remove('proxyconfigs', 'platform', name, namespaceController)).code === 0);
  });
});

interface PodLike {
  readonly image: string;
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly account?: string;
}
const good = { app: 'reviews', version: 'v1', 'app.kubernetes.io/version': '1.4.0' };
const podSpec = ({ image: of, account = 'bookinfo-reviews' }: PodLike): object => ({
  serviceAccountName: account,
  containers: [{ name: 'app', image: of }],
});
const pod = (like: PodLike): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: like.name ?? 'reviews', namespace: 'bookinfo', labels: like.labels ?? good },
  spec: podSpec(like),
});
const deployment = (like: PodLike): object => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: like.name ?? 'reviews', namespace: 'bookinfo' },
  spec: {
    selector: { matchLabels: { app: 'reviews' } },
    template: { metadata: { labels: like.labels ?? good }, spec: podSpec(like) },
  },
});

describe('workloads', () => {
  let books: string;
  beforeAll(async () => {
    books = await server.kubeconfigFor('bob', ['books', 'system:masters']);
  });
  const fine: PodLike = { image: image('reviews') };

  test('a workload by its rules is let in, by its deployers only', async () => {
    ok(await send('create', deployment(fine), books));
    denied(await send('create', deployment({ ...fine, name: 'again' }), someone), 'MW8020', '`mallory` is none of those');
  });
  test('23: images from elsewhere, by tag, and with a digest in capitals are refused', async () => {
    denied(await send('create', pod({ image: 'nginx' }), books), 'MW8021', 'spec.containers[0].image', '(MW8022)');
    denied(await send('create', pod({ image: 'ghcr.io/acme/reviews:1.4.0' }), books), 'MW8022');
    denied(await send('create', pod({ image: `ghcr.io/acme/reviews@sha256:${'A'.repeat(64)}` }), books), 'MW8023');
  });
  test('24: versions outside the range, prereleases and downgrades are refused', async () => {
    const versioned = (version: string): PodLike => ({ ...fine, labels: { ...good, 'app.kubernetes.io/version': version } });
    denied(await send('create', pod(versioned('2.0.0')), books), 'MW8025', '>=1.2.0 <2.0.0');
    denied(await send('create', pod(versioned('1.5.0-rc.1')), books), 'MW8025', 'a prerelease counts only where');
    denied(await send('apply', deployment(versioned('1.3.0')), books), 'MW8026', 'from version 1.4.0 to 1.3.0');
    ok(await send('apply', deployment(versioned('1.5.0')), books));
  });
  test('the workload has to be declared, with its service account and version', async () => {
    denied(await send('create', pod({ ...fine, labels: { ...good, app: 'stranger' } }), books), 'MW8027', 'bookinfo/stranger');
    denied(await send('create', pod({ ...fine, account: 'default' }), books), 'MW8028', 'serviceAccountName: bookinfo-reviews');
    denied(await send('create', pod({ ...fine, labels: { ...good, version: 'v9' } }), books), 'MW8029', 'metadata.labels.version');
  });
  test('12: taking the label away is no way out', async () => {
    const unlabelled = { ...good, app: 'reviews', 'meshwright.dev/workload': 'stranger' };
    denied(await send('apply', deployment({ image: 'nginx', labels: unlabelled }), books), 'MW8021', 'MW8021');
  });
  test('13: ephemeral containers are looked at; scale is not', async () => {
    ok(await send('create', pod(fine), books));
    const debug = await server.kubectl(['-n', 'bookinfo', 'debug', 'reviews', '--image=busybox', '--container=debug', '--attach=false'], {
      kubeconfig: books,
    });
    denied(debug, 'MW8021', 'spec.ephemeralContainers[0].image');
    ok(await server.kubectl(['-n', 'bookinfo', 'scale', 'deployment', 'reviews', '--replicas=3'], { kubeconfig: someone }));
  });
  test('14: a pod that the server names is judged too', async () => {
    const unnamed = edited(pod({ image: 'nginx' }) as ObjectResource, ({ metadata }) => {
      delete metadata['name'];
      metadata['generateName'] = 'reviews-';
    });
    denied(await send('create', unnamed, books), 'MW8021', 'The Pod "reviews-');
  });
  test('other namespaces are not its affair', async () => {
    ok(await send('create', { ...pod({ image: 'nginx' }), metadata: { name: 'free', namespace: 'other' } }, someone));
  });
});

describe('while it serves', () => {
  test('a reload of the rules under load gives no failed and no wrong answer, and metrics tell it', async () => {
    const books = await server.kubeconfigFor('bob', ['books', 'system:masters']);
    const metrics = async (): Promise<string> => (await fetch(`${webhook.adminUrl}/metrics`)).text();
    await untilInForce(webhook, 2);
    await until('it knows', async () => (await metrics()).includes('meshwright_webhook_fails_closed{path="/validate"} 1'));
    const kube = await patientKube(books);
    const create = (object: object): Promise<string> =>
      kube.create(resources.pods, kubeObject(object), { dryRun: true }).then(
        () => 'allowed',
        (error: unknown) => (error instanceof KubeError ? `${error.status} ${error.reason}` : String(error)),
      );
    const answers = new Map<string, number>();
    let stop = false;
    const load = Array.from({ length: 8 }, async (_, worker) => {
      while (!stop) {
        const good = worker % 2 === 0;
        const answer = `${good} ${await create(pod({ image: good ? image('reviews') : 'nginx', name: `load-${worker}` }))}`;
        answers.set(answer, (answers.get(answer) ?? 0) + 1);
      }
    });
    for (const round of [1, 2, 3]) {
      const rules = rulesObject();
      const changed: MeshObject = { ...rules, spec: { ...rules.spec, trustDomain: `round-${round}.example` } } as MeshObject;
      const all = [...objects.filter(({ kind }) => kind !== 'AdmissionRules'), changed];
      ok(await send('create', await resourceOf(changed)));
      const next = testReleaseAfter(lastRelease(), all);
      ok(await send('apply', releaseResource(await signTestRelease(signer, next)), team));
      ok(await statusOf(next));
      live = next;
      await untilInForce(webhook, next.generation);
    }
    stop = true;
    await Promise.all(load);
    expect([...answers.keys()].toSorted()).toEqual(['false 422 Invalid', 'true allowed']);
  });

  test('a webhook that is away lets nothing in', async () => {
    await webhook.close();
    const result = await send('create', pod({ image: image('reviews'), name: 'late' }), someone);
    expect(result.code).not.toBe(0);
    expect(result.stderr).toContain('failed calling webhook "validate.meshwright.dev"');
  });
});
