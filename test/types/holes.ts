/** What the types let through: each compiles as a change to this repository's own policies, and each owes a diagnostic. */
export interface Hole {
  readonly number: string;
  readonly what: string;
  /** Path under policies/. */
  readonly file: string;
  readonly text: string;
  readonly code: `MW${number}`;
}

const books = (rules: string, imports = ''): { readonly file: string; readonly text: string } => ({
  file: 'books/hole.policy.ts',
  text: `import { anyRequest, mostly, per, type User } from 'meshwright/policy';
import { edge } from '#platform';
import { bookinfo, details, productpage, ratings, reviews } from './services.policy';
${imports}
const { web } = reviews.ports;
void [anyRequest, mostly, per, edge, bookinfo, details, productpage, ratings, web];
${rules}
`.replace(/^void .*\n/m, ''),
});
/** In place of books/traffic.policy.ts, where the one list of a port is. */
const traffic = (otherwise: string, rules = ''): { readonly file: string; readonly text: string } => ({
  file: 'books/traffic.policy.ts',
  text: `import { per } from 'meshwright/policy';
import { edge } from '#platform';
import { details, productpage, reviews } from './services.policy';
export const names = per({ dev: 1, staging: 1, prod: 1 });
export const shop = edge.listeners.web.host('shop.acme.example').route({ otherwise: { to: productpage.ports.web } });
export const more = details.ports.web.route({ otherwise: { to: details.ports.web } });
export const reviewsRoutes = reviews.ports.web.route({ ${rules} otherwise: ${otherwise} });
`,
});

export const holes: readonly Hole[] = [
  { number: '01', what: 'a time below zero', ...traffic(`{ to: 'v1', timeout: '-5s' }`), code: 'MW2107' },
  { number: '02', what: 'a space in a time', ...traffic(`{ to: 'v1', timeout: '7 s' }`), code: 'MW2107' },
  { number: '03', what: 'an exponent in a time', ...traffic(`{ to: 'v1', timeout: '1e3s' }`), code: 'MW2107' },
  { number: '04', what: 'a hexadecimal time', ...traffic(`{ to: 'v1', timeout: '0x10s' }`), code: 'MW2107' },
  { number: '05', what: 'no time at all, which to a proxy is for ever', ...traffic(`{ to: 'v1', timeout: '0s' }`), code: 'MW2107' },
  { number: '06', what: 'weights that do not add up', ...traffic(`{ to: { v1: 90, v3: 5 } }`), code: 'MW3020' },
  { number: '07', what: 'no weights', ...traffic(`{ to: {} }`), code: 'MW2106' },
  {
    number: '08',
    what: 'weights that add up in some environments only',
    ...traffic(`{ to: { v1: per({ dev: 100, staging: 50, prod: 50 }), v2: 50 } }`),
    code: 'MW3020',
  },
  { number: '09', what: 'half a percent of requests', ...traffic(`{ to: { v1: 99.5, v2: 0.5 } }`), code: 'MW2125' },
  {
    number: '10',
    what: 'a timeout under its retries',
    ...traffic(`{ to: 'v1', timeout: '1s', retry: { atMost: 3, perTry: '2s', on: ['5xx'] } }`),
    code: 'MW3034',
  },
  {
    number: '11',
    what: 'a second list for one port',
    ...books(`export const again = web.route({ otherwise: { to: 'v2' } });`),
    code: 'MW3021',
  },
  {
    number: '12',
    what: 'a rule that an earlier one shadows',
    ...traffic(
      `{ to: 'v1' }`,
      `rules: [{ when: { request: ['GET /reviews/{id}'] }, to: 'v1' }, { when: { request: 'GET /reviews/{id}' }, to: 'v2' }],`,
    ),
    code: 'MW4002',
  },
  {
    number: '13',
    what: "a relative import into another team's folder",
    file: 'orders/hole.policy.ts',
    text: `import { anyRequest } from 'meshwright/policy';\nimport { ratings } from '../books/services.policy';\nimport { reporter } from './services.policy';\nexport const let_in = ratings.ports.web.allow({ from: reporter, requests: anyRequest });\n`,
    code: 'MW1022',
  },
  {
    number: '14',
    what: "a standard over another team's service",
    file: 'orders/hole.policy.ts',
    text: `import { reviews } from '#books';\nimport { orders } from './services.policy';\nexport const slow = orders.standard({ for: reviews, defaults: { timeout: '1ms' } });\n`,
    code: 'MW3107',
  },
  {
    number: '15',
    what: 'a host that the mesh gave to another team',
    file: 'orders/hole.policy.ts',
    text: `import { respond } from 'meshwright/policy';\nimport { edge } from '#platform';\nexport const mine = edge.listeners.web.host('shop.acme.example').route({ otherwise: { to: respond(200, 'mine') } });\n`,
    code: 'MW3107',
  },
  {
    number: '16',
    what: 'a space in a path',
    ...books(`export const odd = productpage.ports.web.allow({ from: details, requests: ['GET /a b' as 'GET /health'] });`),
    code: 'MW2117',
  },
  {
    number: '17',
    what: 'a brace that is left open',
    file: 'orders/hole.policy.ts',
    text: `import { http, service } from 'meshwright/policy';\nimport { orders } from './services.policy';\nexport const shop = service(orders, 'shop', { serviceAccount: 'shop', ports: { web: http(80, { requests: ['GET /{'] }) } });\n`,
    code: 'MW2117',
  },
  {
    number: '18',
    what: 'a user forged with `as`',
    ...books(`export const forged = details.ports.web.allow({ from: productpage, requests: ['GET /health'], user: {} as User });`),
    code: 'MW2119',
  },
  {
    number: '19',
    what: 'a rule that is made and dropped',
    ...books(`details.ports.web.allow({ from: productpage, requests: ['GET /health'] });`),
    code: 'MW2042',
  },
  {
    number: '20',
    what: 'rules in an array',
    ...books(`export const rules = [details.ports.web.allow({ from: productpage, requests: ['GET /health'] })];`),
    code: 'MW2040',
  },
  {
    number: '21',
    what: 'a condition that is `undefined` behind a cast',
    ...books(
      `export const open = details.ports.web.allow({ from: productpage, requests: ['GET /health'], user: undefined as unknown as User });`,
    ),
    code: 'MW2104',
  },
  {
    number: '22',
    what: "a namespace of another team's",
    file: 'orders/hole.policy.ts',
    text: `import { namespace } from 'meshwright/policy';\nexport const mine = namespace('payments', { team: 'orders' });\n`,
    code: 'MW3009',
  },
  {
    number: '23',
    what: 'waves that do not reach everybody',
    file: 'platform/rollout.policy.ts',
    text: `import { mesh } from '../mesh.policy';\nexport const waves = mesh.rollout({ for: mesh, waves: ['5%', '50%'], hold: '1s' });\n`,
    code: 'MW2125',
  },
  {
    number: '24',
    what: 'an edit of a header that proxies write',
    ...traffic(`{ to: 'v1', mirror: { to: 'v2', share: '5%' }, requestHeaders: { set: { 'x-envoy-a': '1' } } }`),
    code: 'MW3062',
  },
  {
    number: '25',
    what: 'a day that the calendar does not have',
    ...books(
      `export const shut = w('MW4003', { at: [ratings], because: 'x', ticket: 'B-1', until: '2027-02-30' });`,
      `import { waive as w } from 'meshwright/policy';`,
    ),
    code: 'MW2109',
  },
  { number: '26', what: 'a timeout beyond the bound of the platform', ...traffic(`{ to: 'v1', timeout: '20s' }`), code: 'MW3032' },
  {
    number: '27',
    what: 'two workloads with one account, told apart',
    file: 'orders/hole.policy.ts',
    text: `import { service, http, workload } from 'meshwright/policy';\nimport { orders, reporter } from './services.policy';\nexport const twin = workload(orders, 'twin', { serviceAccount: 'reporter' });\nexport const shop = service(orders, 'shop', { serviceAccount: 'shop', ports: { web: http(80) } });\nexport const onlyReporter = shop.ports.web.allow({ from: reporter, requests: ['GET /x'] });\nexport const needs = reporter.calls(shop.ports.web);\nvoid twin;\n`.replace(
      'void twin;\n',
      '',
    ),
    code: 'MW4019',
  },
  {
    number: '28',
    what: 'a need that nobody allows',
    file: 'orders/hole.policy.ts',
    text: `import { reviews } from '#books';\nimport { reporter } from './services.policy';\nexport const wants = reporter.calls(reviews.ports.web);\n`,
    code: 'MW4006',
  },
  {
    number: '29',
    what: 'a guarantee that does not hold',
    ...books(`export const nobody = never({ from: productpage, to: reviews });`, `import { never } from 'meshwright/policy';`),
    code: 'MW4007',
  },
  ...[
    ['30', 'a range that is empty', `version: { min: '2.0.0', below: '1.0.0', downgrade: 'deny' }`, 'MW2125'],
    ['31', 'images by a tag', `images: { from: ['ghcr.io/acme/books:1.0.0'] as unknown as ['a/'], digest: 'optional' }`, 'MW2124'],
    ['32', 'a registry in capitals', `images: { from: ['GHCR.io/acme/'], digest: 'optional' }`, 'MW2124'],
    ['33', 'images without a registry', `images: { from: ['acme/'], digest: 'optional' }`, 'MW2124'],
    ['34', 'signatures of images', `images: { from: ['ghcr.io/acme/'], digest: 'required', signedBy: ['acme'] }`, 'MW3023'],
  ].map(([number = '', what = '', rule = '', code]): Hole => ({
    number,
    what,
    ...books(`export const rule = details.deploys({ by: [group('sre-oncall')], ${rule} });`, `import { group } from 'meshwright/policy';`),
    code: code as Hole['code'],
  })),
  ...[
    ['36', 'a branch as git writes it', `githubActions({ repository: 'acme/books', branch: 'refs/heads/main' })`, 'MW2124'],
    ['37', 'a branch by a pattern', `githubActions({ repository: 'acme/books', branch: 'release/*' })`, 'MW2124'],
    ['38', 'everybody', `group('system:authenticated')`, 'MW2120'],
    ['39', 'an account as a user', `kubernetesUser('system:serviceaccount:ci:deployer')`, 'MW2120'],
    ['40', 'one deployer twice', `group('sre'), group('sre')`, 'MW2126'],
    [
      '42',
      'nobody whom two rules name',
      `kubernetesUser('ada')], mode: 'deny' });
export const other = details.deploys({ by: [kubernetesUser('bob')`,
      'MW4103',
    ],
  ].map(([number = '', what = '', by = '', code]): Hole => ({
    number,
    what,
    ...books(
      `export const rule = details.deploys({ by: [${by}] });`,
      `import { githubActions, group, kubernetesUser } from 'meshwright/policy';\nvoid [githubActions, group, kubernetesUser];`,
    ),
    code: code as Hole['code'],
  })),
  {
    number: '42',
    what: 'versions of nothing',
    file: 'platform/hole.policy.ts',
    text: `import { mesh } from '../mesh.policy';\nexport const nothing = mesh.versions({ ranges: {} });\n`,
    code: 'MW2106',
  },
  {
    number: '35',
    what: 'an Envoy that the mesh does not run',
    file: 'platform/hole.policy.ts',
    text: `import { mesh } from '../mesh.policy';\nexport const old = mesh.versions({ ranges: { envoy: { below: '1.40.0' } } });\n`,
    code: 'MW3202',
  },
  {
    number: '44',
    what: 'a user kept where one destination has it all',
    ...traffic(`{ to: { v1: 0, v2: 100 }, sticky: { header: 'x-user' } }`),
    code: 'MW3065',
  },
  ...(['headers', 'exposed'] as const).map((list, index): Hole => ({
    number: String(45 + index),
    what: `every header in \`${list}\` beside credentials`,
    ...traffic(`{ to: 'v1' }`, `cors: { origins: ['https://shop.acme.example'], methods: ['GET'], ${list}: ['*'], credentials: true },`),
    code: 'MW3131',
  })),
];
