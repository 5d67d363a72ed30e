/** Who may deploy what, and which product versions go together. Read and refused as the types do, and not in force in this version. */
import { make } from './made';
import { onlyIn } from './mesh-names';
import { type Reader, atLeastOne, list, record, text, whole, word } from './read';
import { register } from './registry';
import { madeAs } from './subjects';
import { unsupported } from './unsupported';
import { namespacedName, semVer } from './units';
import { verb } from './verb';

const deployer = madeAs(['deployer'], 'a deployer', 'write `githubActions(...)`, `group(...)` or `kubernetesAccount(...)`');
const deployerBy = (what: string, parameter: string, reader: Reader<unknown>): ((...given: unknown[]) => object) =>
  verb(what, [parameter], 1, (given) => {
    reader(given.take(0), given.at(0));
    return make({}, { kind: 'deployer' });
  });
export const githubActions = deployerBy('githubActions', 'spec', record({ repository: text, branch: text }, { environment: text }));
export const group = deployerBy('group', 'name', text);
export const kubernetesAccount = deployerBy('kubernetesAccount', 'ref', namespacedName);

export const versionRange = record({}, { min: semVer, below: semVer });
const deploySpec = record(
  { by: list(deployer) },
  {
    images: record({ from: list(text), digest: word('required', 'optional') }, { signedBy: list(text) }),
    version: record({ downgrade: word('deny', 'warn') }, { min: semVer, below: semVer }),
    only: onlyIn,
    mode: word('deny', 'warn', 'audit'),
  },
);
/** The `deploys` method of a namespace, a service or a workload. */
export const deploysMethod = (owner: string): ((...given: unknown[]) => object) =>
  verb(`${owner}.deploys`, ['spec'], 1, (given) => {
    deploySpec(given.take(0), given.at(0));
    return make({}, { kind: 'deploy', entry: register(unsupported('rules about who deploys (`deploys`)'), given.call) });
  });

const products = ['istiod', 'istio-proxy', 'envoy', 'kubernetes', 'gateway-api', 'jaeger', 'kiali', 'prometheus'] as const;
const product = word(...products);
const range = atLeastOne(versionRange, 'a range');
const productRules = record(
  { ranges: atLeastOne(record({}, Object.fromEntries(products.map((one) => [one, range]))), 'a set of ranges') },
  { skew: list(record({ of: product, behind: product, minor: whole(0, 99, 'count of minor versions') }, {})) },
);
export const versionsMethod = verb('mesh.versions', ['spec'], 1, (given) => {
  productRules(given.take(0), given.at(0));
  return make({}, { kind: 'deploy', entry: register(unsupported('rules about product versions (`versions`)'), given.call) });
});
