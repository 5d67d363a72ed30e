import { generateKeyPairSync } from 'node:crypto';
import type { DeclarationValue } from '../../core/declarations/declaration';
import { decide } from '../../core/semantics/decide';
import { portKey, workloadKey } from '../../core/mesh/ids';
import { evaluatedWith, named } from '../../test/kit/declarations';
import { present } from '../../test/kit/present';
import { lower } from './index';

type External = Extract<DeclarationValue, { readonly kind: 'external' }>;
const external = (more: Partial<Omit<External, 'kind'>> = {}): DeclarationValue => ({
  kind: 'external',
  name: 'stripe',
  team: 'books',
  hosts: ['api.stripe.example'],
  ports: { api: { protocol: 'https', number: 443 } },
  ...more,
});
type Access = Extract<DeclarationValue, { readonly kind: 'access'; readonly action: 'allow' | 'deny' }>;
const allow = (more: Partial<Omit<Access, 'kind'>> = {}): DeclarationValue => ({
  kind: 'access',
  action: 'allow',
  port: { ref: 'books/stripe', port: 'api' },
  from: [named('books/productpage')],
  requests: ['POST /v1/charges'],
  ...more,
});
const lowered = (more: Parameters<typeof evaluatedWith>[0]) =>
  lower(evaluatedWith({ 'books/stripe': external(), 'books/charge': allow(), ...more }), 'prod');

test('a host outside the mesh is a port with an owner, addressed by its own name', () => {
  const ir = present(lowered({}).value);
  expect(ir.services.find(({ key }) => key === 'outside/stripe')).toMatchObject({
    team: 'books',
    outside: { hosts: ['api.stripe.example'], trust: null },
    ports: [{ key: 'outside/stripe.api', protocol: 'https', layer: 'http', number: 443 }],
  });
  const asked = (host: string, method = 'POST') =>
    decide(ir, {
      from: { kind: 'workload', workload: workloadKey('bookinfo', 'productpage') },
      to: portKey(workloadKey('outside', 'stripe'), 'api'),
      method,
      path: '/v1/charges',
      headers: { host },
    });
  expect(asked('api.stripe.example')).toMatchObject({ outcome: 'allow', because: ['books/charge'] });
  expect(asked('API.stripe.example:443')).toMatchObject({ outcome: 'allow' });
  expect(asked('api.stripe.example:80')).toMatchObject({ outcome: 'deny', stage: 'outbound', status: 403 });
  expect(asked('api.stripe.example', 'GET')).toMatchObject({ outcome: 'deny', stage: 'outbound', status: 403 });
});

const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const issuer: DeclarationValue = {
  kind: 'issuer',
  name: 'accounts',
  url: 'https://accounts.acme.example',
  audiences: ['shop'],
  keys: {
    file: 'keys.json',
    text: JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'ES256', use: 'sig' }] }),
  },
};
const customer = { issuer: { ref: 'mesh/accounts' }, claims: [] };

test.each<readonly [string, Parameters<typeof evaluatedWith>[0], readonly string[]]>([
  ['a name of one word', { 'books/stripe': external({ hosts: ['stripe'] }) }, ['MW3029']],
  ['two externals with one host', { 'books/other': external({ name: 'other' }) }, ['MW3004']],
  ['an external and a service with one host', { 'books/stripe': external({ hosts: ['details.bookinfo'] }) }, ['MW3004']],
  ['two externals of one name', { 'books/other': external({ hosts: ['other.example'] }) }, ['MW3004']],
  ['a gateway that is none', { 'books/stripe': external({ through: { ref: 'books/details' } }) }, ['MW3006']],
  ['another protocol', { 'books/stripe': external({ ports: { api: { protocol: 'kafka', number: 9092 } } }) }, ['MW3023']],
  [
    'a word about who calls',
    { 'books/stripe': external({ ports: { api: { protocol: 'https', number: 443, proxyProtocol: 'v2' } } }) },
    ['MW3023'],
  ],
  ['an allow by header', { 'books/charge': allow({ headers: { 'x-a': { kind: 'exact', value: 'b' } } }) }, ['MW3023']],
  ['a rule in shadow', { 'books/charge': allow({ mode: 'shadow' }) }, ['MW3023']],
  ['an end user', { 'mesh/accounts': issuer, 'books/charge': allow({ user: customer }) }, ['MW3023']],
  [
    'an end user in its routes',
    {
      'mesh/accounts': issuer,
      'books/routes': {
        kind: 'route',
        on: { ref: 'books/stripe', port: 'api' },
        rules: [{ when: { user: customer }, to: { kind: 'target', to: { ref: 'books/stripe', port: 'api' } } }],
        otherwise: { to: { kind: 'target', to: { ref: 'books/stripe', port: 'api' } } },
      },
    },
    ['MW3023'],
  ],
  ['somebody else who answers for it', { 'orders/stripe': external({ name: 'more', hosts: ['more.example'] }) }, ['MW3107']],
  [
    'a route over the border',
    {
      'books/routes': {
        kind: 'route',
        on: { ref: 'books/details', port: 'web' },
        rules: [],
        otherwise: { to: { kind: 'target', to: { ref: 'books/stripe', port: 'api' } } },
      },
    },
    ['MW3081'],
  ],
])('refuses %s', (_what, more, codes) => {
  const { value, diagnostics } = lowered(more);
  expect(value).toBeUndefined();
  expect(diagnostics.filter(({ severity }) => severity === 'error').map(({ code }) => code)).toEqual(codes);
});

test.each<readonly [string, Partial<External>, readonly string[]]>([
  ['two hosts of a TCP port', { hosts: ['a.example', 'b.example'], ports: { api: { protocol: 'tcp', number: 5432 } } }, ['MW3085']],
  ['an address where there are names', { hosts: ['192.0.2.7'], ports: { api: { protocol: 'tls', number: 443 } } }, ['MW3029']],
  ['the machine itself', { hosts: ['127.0.0.1'], ports: { api: { protocol: 'tcp', number: 5432 } } }, ['MW3029']],
  ['the machine itself in IPv6 clothes', { hosts: ['::ffff:7f00:1'], ports: { api: { protocol: 'tcp', number: 80 } } }, ['MW3029']],
  ['a name that some take for an address', { hosts: ['127.1'], ports: { api: { protocol: 'tcp', number: 80 } } }, ['MW3029']],
  ['a hexadecimal one', { hosts: ['127.0x1'], ports: { api: { protocol: 'tcp', number: 80 } } }, ['MW3029']],
  ['an address in another spelling', { hosts: ['2001:DB8::1'], ports: { api: { protocol: 'tcp', number: 5432 } } }, ['MW3029']],
  ['an allow of a host that is none of the port', { ports: { api: { protocol: 'tls', number: 443 } } }, ['MW3007']],
])('of connections refuses %s', (_what, more, codes) => {
  const { diagnostics } = lowered({
    'books/stripe': external(more),
    'books/charge': allow({ requests: 'any', ...(codes[0] === 'MW3007' ? { hosts: ['other.example'] } : {}) }),
  });
  expect(diagnostics.map(({ code }) => code)).toEqual(codes);
});
test.each([
  ['postgres', 'tcp', '192.0.2.7'],
  ['redis', 'tcp', '2001:db8::7'],
  ['tcp', 'tcp', 'db.example'],
  ['tls', 'tls', 'api.example'],
])('%s outside is of layer %s, to %s', (protocol, layer, host) => {
  const { value } = lowered({
    'books/stripe': external({ hosts: [host], ports: { api: { protocol, number: 5432 } } }),
    'books/charge': allow({ requests: 'any' }),
  });
  const ir = present(value);
  expect(ir.services.find(({ key }) => key === 'outside/stripe')).toMatchObject({ outside: { hosts: [host] }, ports: [{ layer }] });
  expect(ir.connectionRoutes.map(({ port }) => port)).toEqual(['outside/stripe.api']);
});

const egress: Extract<DeclarationValue, { readonly kind: 'gateway' }> = {
  ...{
    kind: 'gateway',
    namespace: { ref: 'platform/platform' },
    name: 'egress',
    serviceAccount: 'egress',
    listeners: {},
    wayOutOf: ['books'],
  },
};
const through = { 'platform/egress': egress, 'books/stripe': external({ through: { ref: 'platform/egress' } }) };

test('a gateway on the way is a destination: it reads headers and users, and watches', () => {
  const { value, diagnostics } = lowered({
    ...through,
    'mesh/accounts': issuer,
    'books/byHeader': allow({ headers: { 'x-a': { kind: 'exact', value: 'b' } } }),
    'books/watched': allow({ mode: 'shadow' }),
    'books/byUser': allow({ user: customer }),
  });
  expect(diagnostics).toEqual([]);
  expect(present(value).services.find(({ key }) => key === 'outside/stripe')?.outside?.through).toBe('platform/egress');
});
const again = 'it is an IPv4 address in another spelling';
const way = "from the gateway that is the gateway's own, its machine's keys among it";
// of each: why it is none, and why it is none through a gateway, where what is of a machine is another machine's
test.each<readonly [string, string | null, string | null]>([
  ['10.0.0.5', null, null],
  ['2001:db8::ff', null, null],
  ['127.9.9.9', 'it is the machine itself, whichever asks', 'it is the machine itself, whichever asks'],
  ['0.0.0.0', 'it is no address of a machine', 'it is no address of a machine'],
  ['224.0.0.1', 'it is of many machines', 'it is of many machines'],
  ['255.255.255.255', "it is nobody's", "it is nobody's"],
  ['ff02::1', 'it is of many machines', 'it is of many machines'],
  ['fec0::1', "it is nobody's", "it is nobody's"],
  ...['::', '::1', '::5', '::7f00:1'].map((address) => {
    const why = 'it is the machine itself, none, or an IPv4 address in another spelling';
    return [address, why, why] as const;
  }),
  ['::ffff:7f00:1', again, again],
  ['::ffff:a00:5', again, again],
  [
    '64:ff9b::7f00:1',
    'it is the machine itself, whichever asks, in another spelling',
    'it is the machine itself, whichever asks, in another spelling',
  ],
  ['169.254.169.254', null, `it is of the link, where clouds hand out credentials: ${way}`],
  ['fe80::1', null, `it is of the link: ${way}`],
  ['100.100.100.200', null, `a cloud hands out credentials there: ${way}`],
  ['168.63.129.16', null, `a cloud speaks to its machines there: ${way}`],
  ['fd00:ec2::254', null, `a cloud hands out credentials there: ${way}`],
])('an address as a host, or why it is none: %s', (host, direct, byGateway) => {
  const ports = { api: { protocol: 'tcp', number: 80 } } as const;
  const said = (more: Parameters<typeof lowered>[0], some: Partial<External>): readonly string[] =>
    lowered({
      ...more,
      'books/stripe': external({ hosts: [host], ports, ...some }),
      'books/charge': allow({ requests: 'any' }),
    }).diagnostics.map(({ code, message }) => `${code} ${message}`);
  const refusal = (why: string | null): readonly string[] =>
    why === null ? [] : [expect.stringMatching(new RegExp(`^MW3029 .*: ${why}$`))];
  expect(said({}, {})).toEqual(refusal(direct));
  expect(said({ 'platform/egress': egress }, { through: { ref: 'platform/egress' } })).toEqual(refusal(byGateway));
});
test.each([
  ['ledger.orders', ['MW3107']],
  ['ledger.orders.svc', ['MW3107']],
  ['ledger-0.ledger.orders.svc.cluster.local', ['MW3107']],
  ['10-0-0-7.orders.pod.cluster.local', ['MW3107']],
  ['orders.example', []],
  // what is not in the mesh of a team's own namespace, and in namespaces that the mesh does not know
  ['ledger.bookinfo.svc', []],
  ['ledger.legacy.svc.cluster.local', []],
])('within the cluster a name is of the team of its namespace: %s', (host, codes) => {
  const { diagnostics } = lowered({
    'orders/orders': { kind: 'namespace', name: 'orders', team: 'orders' },
    'books/stripe': external({ hosts: [host] }),
  });
  expect(diagnostics.filter(({ severity }) => severity === 'error').map(({ code }) => code)).toEqual(codes);
});
test('a gateway dials for those whom its owner names, and for its owner', () => {
  const { wayOutOf: _, ...closed } = egress;
  const codes = (more: Parameters<typeof lowered>[0]) => lowered(more).diagnostics.map(({ code }) => code);
  expect(codes({ ...through, 'platform/egress': closed })).toEqual(['MW3087']);
  expect(codes({ ...through, 'platform/egress': { ...egress, wayOutOf: ['orders'] } })).toEqual(['MW3087']);
  expect(codes({ ...through, 'platform/egress': { ...egress, wayOutOf: ['books', 'boks'] } })).toEqual(['MW3008']);
  const stripe = external({ team: 'orders', hosts: ['other.example'], through: { ref: 'platform/edge' } });
  expect(codes({ 'orders/stripe': external({ ...(stripe as External), name: 'other' }) })).toEqual(['MW3087']);
  // the platform answers for both
  expect(codes({ 'platform/stripe': external({ ...(stripe as External), name: 'other' }) })).toEqual([]);
});
test('a gateway that nothing comes in by has to be a way out', () => {
  const { diagnostics } = lowered({ 'platform/egress': egress });
  expect(diagnostics.map(({ code, message }) => [code, message])).toEqual([['MW3012', expect.stringContaining('listeners')]]);
});
