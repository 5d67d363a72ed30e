import * as fs from 'node:fs';
import * as path from 'node:path';
import { Ajv } from 'ajv';
import { checkValues } from './check';
import { installObjects } from './install';
import { objectKey, type KubernetesObject } from './object';
import { permissions, rolesOf } from './permissions';
import { defaultValues } from './values';

const objects = installObjects({ ...defaultValues, gitops: { ...defaultValues.gitops, enabled: true } });
const found = (key: string): KubernetesObject => {
  const object = objects.find((one) => objectKey(one) === key);
  if (!object) throw new Error(`there is no ${key}`);
  return object;
};
const said = (given: unknown): string =>
  checkValues(given)
    .diagnostics.map(({ code, message }) => `${code} ${message}`)
    .join('\n');

describe('installObjects', () => {
  it('names every object once, and the webhook configurations last', () => {
    const keys = objects.map(objectKey);
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys[0]).toBe('Namespace/meshwright');
    expect(keys.slice(-2)).toEqual(['MutatingWebhookConfiguration/meshwright', 'ValidatingWebhookConfiguration/meshwright']);
  });
  it.each(['control-plane', 'webhook', 'ca', 'gitops'])('gives %s a configuration that the server takes', (server) => {
    const { data } = found(`ConfigMap/meshwright/${server}-config`);
    const config: unknown = JSON.parse((data as Record<string, string>)['config.json'] ?? '');
    const file = path.join(__dirname, '..', '..', 'cli', 'schemas', `${server}.schema.json`);
    const validate = new Ajv({ allErrors: true, strict: false }).compile(JSON.parse(fs.readFileSync(file, 'utf8')));
    validate(config);
    expect(validate.errors ?? []).toEqual([]);
  });
  it('makes no Secret, and holds no key', () => {
    expect(objects.filter(({ kind }) => kind === 'Secret')).toEqual([]);
    expect(JSON.stringify(objects)).not.toContain('PRIVATE KEY');
  });
  it("gives the loop's containers copies of Secrets only: they refuse a file that a group may read, and a mounted Secret is one", () => {
    const pod = Object(found('Deployment/meshwright/gitops')['spec']).template.spec;
    const secrets = pod.volumes.filter((volume: object) => 'secret' in volume).map(({ name }: { readonly name: string }) => name);
    const mounted = pod.containers.flatMap(({ volumeMounts }: { readonly volumeMounts: readonly { readonly name: string }[] }) =>
      volumeMounts.map(({ name }) => name),
    );
    expect(secrets).toHaveLength(3);
    expect(mounted.filter((name: string) => secrets.includes(name))).toEqual([]);
  });
  it('keeps what is in force when the servers are removed', () => {
    const kept = objects.filter(({ metadata }) => metadata.annotations?.['helm.sh/resource-policy'] === 'keep').map(({ kind }) => kind);
    expect([...new Set(kept)]).toEqual(['Namespace', 'CustomResourceDefinition']);
  });
  it('gives nobody a wildcard, an escalation, or Secrets it does not name', () => {
    for (const { resource, apiGroup, verbs, names, server } of permissions) {
      expect([resource, apiGroup, ...verbs].join()).not.toContain('*');
      expect(['escalate', 'bind', 'impersonate'].filter((verb) => verbs.some((one) => one === verb))).toEqual([]);
      if (resource === 'secrets' && !(verbs.length === 1 && verbs[0] === 'create')) expect([server, names?.length]).toEqual([server, 1]);
    }
  });
  it('makes no role for a server without permissions', () => expect(rolesOf('webhook', [])).toEqual([]));
});

describe('checkValues', () => {
  it('takes the defaults for nothing', () => expect(checkValues(undefined)).toEqual({ value: defaultValues, diagnostics: [] }));
  it('merges objects and replaces lists', () => {
    const { value } = checkValues({ replicas: { ca: 3 }, webhook: { exemptNamespaces: ['kube-system'] } });
    expect(value?.replicas).toEqual({ controlPlane: 2, webhook: 2, ca: 3 });
    expect(value?.webhook).toEqual({ ...defaultValues.webhook, exemptNamespaces: ['kube-system'] });
  });
  it.each([
    [{ environmnet: 'prod' }, 'MW7301 installation value `environmnet` is not known: did you mean `environment`?'],
    [{ webhook: { failurePolicy: 'Open' } }, 'MW7301 installation value `webhook.failurePolicy` is none of Fail, Ignore'],
    [{ replicas: { ca: 1.5 } }, 'MW7301 installation value `replicas.ca` must be integer'],
    [{ deployers: [] }, 'MW7301 installation value `deployers` names nobody, so that no release could ever be let in'],
    [{ webhook: { exemptNamespaces: [] } }, '`webhook.exemptNamespaces` leaves out `kube-system`'],
    [{ trustRoot: { environments: { stage: { keys: [], generationFloor: 0 } } } }, '`trustRoot` knows no environment `prod`'],
    [
      { trustRoot: { environments: { prod: { keys: [{ kty: 'OKP', crv: 'Ed25519', x: 'x', kid: 'x' }], generationFloor: 0 } } } },
      '`trustRoot` is not a trust root',
    ],
    [{ deployers: [{ kind: 'github', repository: 'a/b', branch: 'main' }] }, '`webhook.settings.issuers` is missing'],
    [
      { issuerKeys: { networks: ['10.1.0.0/16', '10.0.0.1'] } },
      'MW7301 installation value `issuerKeys.networks.1` is no network: `10.0.0.1`',
    ],
    [{ issuerKeys: { everySeconds: 0 } }, '`issuerKeys.everySeconds`'],
    ['text', 'MW7301 installation value `the values` must be object'],
    [[], 'MW7301 installation value `the values` must be object'],
    [null, 'MW7301 installation value `the values` must be object'],
  ])('refuses %j in one line', (given, wanted) => {
    expect(checkValues(given).value).toBeUndefined();
    expect(said(given)).toContain(wanted);
  });
});
