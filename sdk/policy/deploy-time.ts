/** Who may deploy what, and which product versions go together. */
import type { WireDeployer, WireVersionRange } from '../../core/declarations/declaration';
import { accountOfCluster, branch, githubRepository, groupName, imagePrefix, jobEnvironment, userName } from './deployer-names';
import { freeze, groupsOf, hasOwn, keysOf, splitText, stringify, toNumber } from './intrinsics';
import { make } from './made';
import { onlyIn } from './mesh-names';
import type { Plain } from './plain';
import { type Place, refuse, under } from './policy-error';
import { type Reader, atLeastOne, list, record, whole, word } from './read';
import { refTo, register } from './registry';
import { madeAs } from './subjects';
import { unsupported } from './unsupported';
import { semVer } from './units';
import { verb } from './verb';

const deployerMade = (deployer: WireDeployer): object => make({}, { kind: 'deployer', deployer: freeze(deployer) });
const githubJob = record({ repository: githubRepository, branch }, { environment: jobEnvironment });
export const githubActions = verb('githubActions', ['spec'], 1, (given) =>
  deployerMade({ kind: 'github', ...githubJob(given.take(0), given.at(0)) }),
);
export const group = verb('group', ['name'], 1, (given) => deployerMade({ kind: 'group', name: groupName(given.take(0), given.at(0)) }));
export const kubernetesUser = verb('kubernetesUser', ['name'], 1, (given) =>
  deployerMade({ kind: 'user', name: userName(given.take(0), given.at(0)) }),
);
export const kubernetesAccount = verb('kubernetesAccount', ['ref'], 1, (given) => {
  const [namespace = '', name = ''] = splitText(accountOfCluster(given.take(0), given.at(0)), '/');
  return deployerMade({ kind: 'account', namespace, name });
});

const deployer = madeAs(
  ['deployer'],
  'a deployer',
  'write `githubActions(...)`, `group(...)`, `kubernetesUser(...)` or `kubernetesAccount(...)`',
);
/** At least one, none twice. */
const deployers: Reader<readonly WireDeployer[]> = (value, at) => {
  const read = list(deployer)(value, at).map((one) => one.deployer);
  const texts: string[] = [];
  for (let i = 0; i < read.length; i++) {
    const text = stringify(read[i]);
    if (texts.includes(text)) return refuse(under(at, i), 'MW2126', 'a deployer that is written twice', 'name each deployer once');
    texts.push(text);
  }
  return freeze(read);
};

function checkRange({ min, below }: WireVersionRange, at: Place): void {
  if (below === undefined || compare(min ?? '0.0.0', below) < 0) return;
  const help = '`min` is included and `below` is not: give a higher `below`';
  refuse(
    at,
    'MW2125',
    min === undefined ? `no version is below \`${below}\`` : `no version is from \`${min}\` on and below \`${below}\``,
    help,
  );
}
function compare(a: string, b: string): number {
  const [left = [], right = []] = [a, b].map((text) => (groupsOf(/^(\d+)\.(\d+)\.(\d+)$/, text) ?? []).slice(1).map(toNumber));
  for (let i = 0; i < 3; i++) if (left[i] !== right[i]) return (left[i] ?? 0) - (right[i] ?? 0);
  return 0;
}
const ranged =
  <T extends WireVersionRange>(reader: Reader<T>): Reader<T> =>
  (value, at) => {
    const range = reader(value, at);
    checkRange(range, at);
    return range;
  };

const mode = word('deny', 'warn', 'audit');
export const versionRange = record({}, { min: semVer, below: semVer });
const deploySpec = record(
  { by: deployers },
  {
    images: record(
      { from: list(imagePrefix, { unique: 'prefix' }), digest: word('required', 'optional') },
      { signedBy: list(groupName, { unique: 'signer' }) },
    ),
    version: ranged(record({ downgrade: word('deny', 'warn') }, { min: semVer, below: semVer })),
    only: onlyIn,
    mode,
  },
);
/** The `deploys` method of a namespace, a service, a workload or a gateway. */
export const deploysMethod = (entry: number, owner: string): ((...given: unknown[]) => object) =>
  verb(`${owner}.deploys`, ['spec'], 1, (given) => {
    const { images, ...rule } = deploySpec(given.take(0), given.at(0));
    const value =
      images?.signedBy === undefined
        ? { kind: 'deploy' as const, on: { ref: refTo(entry) }, ...rule, ...(images ? { images } : {}) }
        : unsupported('signatures of images (`images.signedBy`)');
    return make({}, { kind: 'deploy', entry: register(value, given.call) });
  });

const products = ['istiod', 'istio-proxy', 'envoy', 'kubernetes', 'gateway-api', 'jaeger', 'kiali', 'prometheus'] as const;
const product = word(...products);
const range = ranged(atLeastOne(versionRange, 'a range'));
const ranges = atLeastOne(record({}, Object.fromEntries(products.map((one) => [one, range]))), 'a set of ranges');
const skewOf = record({ of: product, behind: product, minor: whole(0, 99, 'count of minor versions') }, {});
const skew: Reader<ReturnType<typeof skewOf>> = (value: Plain, at: Place) => {
  const one = skewOf(value, at);
  if (one.of === one.behind)
    return refuse(at, 'MW2120', `\`${one.of}\` behind itself`, "name two products: `{ of: 'istio-proxy', behind: 'istiod', minor: 1 }`");
  return one;
};
const productRules = record({ ranges }, { skew: list(skew), only: onlyIn, mode });
/** The `versions` method of the mesh. */
export const versionsMethod = (owner: string): ((...given: unknown[]) => object) =>
  verb(`${owner}.versions`, ['spec'], 1, (given) => {
    const { ranges: said, ...rule } = productRules(given.take(0), given.at(0));
    const taken: Record<string, WireVersionRange> = {};
    for (const key of keysOf(said)) if (hasOwn(said, key) && said[key]) taken[key] = said[key];
    return make({}, { kind: 'deploy', entry: register({ kind: 'versions', ranges: taken, ...rule }, given.call) });
  });
