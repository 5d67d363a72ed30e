import fc from 'fast-check';
import { callableByWorkload } from '../../core/ir/edges';
import type { AccessRule, MeshIr } from '../../core/ir/ir';
import type { PortKey, RuleId, WorkloadKey } from '../../core/mesh/ids';
import { portKey, workloadKey } from '../../core/mesh/ids';
import { lower } from '../../compiler/lower';
import { allow, deny, evaluatedWith, named, need, service } from '../kit/declarations';
import { generateMesh, generateRequests } from '../kit/mesh-generator';
import { claimsOf } from '../kit/mesh-generator-users';
import { compareCalls } from '../../core/semantics/compare';
import { decide } from '../../core/semantics/decide';
import { decideConnection } from '../../core/semantics/decide-connection';
import { decideInbound } from '../../core/semantics/inbound';
import type { Probe } from '../../core/semantics/probes';
import type { MeshRequest } from '../../core/semantics/decision';
import { matchesPath, pathTemplatePattern } from '../../core/semantics/match';

function ir(more = {}, environment = 'prod'): MeshIr {
  const { value, diagnostics } = lower(evaluatedWith(more), environment);
  if (!value) throw new Error(JSON.stringify(diagnostics));
  return value;
}
const page = workloadKey('bookinfo', 'productpage');
const reviews = portKey(workloadKey('bookinfo', 'reviews'), 'web');
const ratings = portKey(workloadKey('bookinfo', 'ratings'), 'web');
const ask = (from: WorkloadKey, to: PortKey, path: string, more: Partial<MeshRequest> = {}): MeshRequest => ({
  from: { kind: 'workload', workload: from },
  to,
  method: 'GET',
  path,
  headers: {},
  ...more,
});
const outside = (host: string, path: string, headers = {}): MeshRequest => ({
  from: { kind: 'outside', gateway: workloadKey('platform', 'edge'), listener: 'web', host },
  to: null,
  method: 'GET',
  path,
  headers,
});

describe('the example', () => {
  const mesh = ir();
  test.each<[string, MeshRequest, object]>([
    [
      'the page reads reviews',
      ask(page, reviews, '/reviews/7'),
      {
        outcome: 'allow',
        stage: 'inbound',
        status: null,
        because: ['books/pageReadsReviews'],
        timeoutMs: 2000,
        destinations: [
          { version: 'v1', share: 90, access: 'allow' },
          { version: 'v3', share: 10 },
        ],
      },
    ],
    [
      'jason sees v2',
      ask(page, reviews, '/reviews/7', { headers: { 'end-user': 'jason' } }),
      { outcome: 'allow', route: { rule: 'books/reviewsRoutes.rules.0', index: 0 }, destinations: [{ version: 'v2', share: 100 }] },
    ],
    [
      'the page may not post reviews',
      ask(page, reviews, '/reviews', { method: 'POST' }),
      { outcome: 'deny', stage: 'inbound', status: 403, because: [] },
    ],
    [
      'the page may not call ratings at all',
      ask(page, ratings, '/ratings/7'),
      { outcome: 'deny', stage: 'outbound', status: 403, says: 'bookinfo/productpage may not call ratings:9080' },
    ],
    ['the query is no part of the path', ask(page, reviews, '/reviews/7?a=//..;'), { outcome: 'allow' }],
    ['a parameter is one segment', ask(page, reviews, '/reviews/7/8'), { outcome: 'deny', stage: 'inbound' }],
    ['a trailing slash is another path', ask(page, reviews, '/reviews/7/'), { outcome: 'deny', stage: 'inbound' }],
    ['what is not canonical is refused first', ask(page, ratings, '/ratings//7'), { outcome: 'deny', stage: 'canonical', status: 400 }],
    ['from outside by the gateway', outside('shop.acme.example', '/productpage'), { outcome: 'allow', because: ['books/publicPage'] }],
    ['the gateway answers what its owner says', outside('shop.acme.example', '/x'), { outcome: 'allow', stage: 'route', status: 404 }],
    ['a host routed, not allowed', outside('shop.acme.example', '/static/a.css'), { outcome: 'deny', stage: 'inbound', status: 403 }],
    ['a host that nobody routes', outside('beta.books.acme.example', '/'), { outcome: 'deny', stage: 'route', status: 404 }],
    ['a server name that is not served', outside('evil.example', '/'), { outcome: 'deny', stage: 'route', status: null }],
    [
      'a Host of another connection',
      outside('shop.acme.example', '/productpage', { host: 'beta.books.acme.example' }),
      { outcome: 'deny', stage: 'route', status: 421 },
    ],
    [
      'a Host with its port and in upper case',
      outside('shop.acme.example', '/productpage', { host: 'SHOP.acme.example:8443' }),
      { outcome: 'allow' },
    ],
  ])('%s', (_, request, expected) => expect(decide(mesh, request)).toMatchObject(expected));

  test('the owner of a wildcard host does not take an exact one', () => {
    const two = ir({
      'books/any': {
        kind: 'route',
        on: { ref: 'platform/edge', listener: 'web', host: '*.books.acme.example' },
        rules: [],
        otherwise: { to: { kind: 'respond', status: 201 } },
      },
      'books/beta': {
        kind: 'route',
        on: { ref: 'platform/edge', listener: 'web', host: 'beta.books.acme.example' },
        rules: [],
        otherwise: { to: { kind: 'respond', status: 202 } },
      },
    });
    expect([
      decide(two, outside('beta.books.acme.example', '/')).status,
      decide(two, outside('a.b.books.acme.example', '/')).status,
      decide(two, outside('books.acme.example', '/')).status,
    ]).toEqual([202, 201, null]);
    const asked = (sni: string, host: string) => decide(two, outside(sni, '/', { host })).status;
    expect([
      asked('a.books.acme.example', 'beta.books.acme.example'),
      asked('beta.books.acme.example', 'a.books.acme.example'),
      asked('a.books.acme.example', 'b.books.acme.example:8443'),
      asked('a.books.acme.example', 'a.books.acme.example.'),
      asked('a.books.acme.example', 'you@a.books.acme.example'),
    ]).toEqual([421, 421, 201, 421, 400]);
  });
  test('a need makes the caller stricter, and nobody else', () => {
    const strict = ir({
      'books/n': need('books/productpage', 'books/reviews', { timeout: '700ms', retry: { atMost: 1, perTry: '300ms', on: ['5xx'] } }),
      'books/d': allow('books/reviews', [named('books/details')], { requests: ['GET /health'] }),
    });
    expect(decide(strict, ask(page, reviews, '/reviews/7'))).toMatchObject({
      timeoutMs: 700,
      retry: { atMost: 1, perTryMs: 300, on: ['5xx'], budgetPercent: 20 },
    });
    expect(decide(strict, ask(workloadKey('bookinfo', 'details'), reviews, '/health'))).toMatchObject({
      timeoutMs: 2000,
      retry: { atMost: 2 },
    });
  });
  test('a broad allow opens nothing without a need', () => {
    const broad = { 'books/all': allow('books/details', [named('books/bookinfo')]) };
    const details = portKey(workloadKey('bookinfo', 'details'), 'web');
    expect(decide(ir(broad), ask(workloadKey('bookinfo', 'ratings'), details, '/x')).stage).toBe('outbound');
    expect(
      decide(ir({ ...broad, 'books/n': need('books/ratings', 'books/details') }), ask(workloadKey('bookinfo', 'ratings'), details, '/x'))
        .outcome,
    ).toBe('allow');
  });
  test('a destination that reads URLs its own way refuses with 400', () => {
    const servlet = ir({
      'books/details': service('books/bookinfo', 'details', { ports: { web: { protocol: 'http', number: 9080, urls: 'servlet' } } }),
    });
    const details = portKey(workloadKey('bookinfo', 'details'), 'web');
    expect(decide(servlet, ask(page, details, '/details/a%40b'))).toMatchObject({ outcome: 'deny', stage: 'canonical', status: 400 });
  });
  test('a deny wins over an allow, and is named', () => {
    const shut = ir({ 'platform/stop': deny('books/reviews', [{ kind: 'anyone', except: [] }]) });
    expect(decide(shut, ask(page, reviews, '/reviews/7'))).toMatchObject({ outcome: 'deny', status: 403, because: ['platform/stop'] });
  });
});

/** A mesh, a request at it, and an access rule that fits it. */
const worlds = fc.tuple(fc.nat(5000), fc.integer({ min: 2, max: 6 }), fc.nat(1000)).map(([seed, size, salt]) => {
  const mesh = generateMesh(seed, size);
  return { mesh, requests: generateRequests(mesh, seed + salt, 12), spare: generateMesh(seed, size + 1).access };
});
const withAccess = (mesh: MeshIr, access: readonly AccessRule[]): MeshIr => ({ ...mesh, access });
const allowed = (mesh: MeshIr, request: MeshRequest): number => {
  const decision = decide(mesh, request);
  return decision.stage === 'route' ? 0 : decision.destinations.filter((d) => d.access === 'allow').reduce((sum, d) => sum + d.share, 0);
};
const ruleFor = (mesh: MeshIr, action: AccessRule['action']): AccessRule | undefined => {
  const port = mesh.services[0]?.ports[0];
  const caller = mesh.workloads[0];
  return (
    port &&
    caller && {
      id: 't/added' as RuleId,
      action,
      mode: 'enforce',
      port: port.key,
      callers: { kind: 'principals', principals: [{ principal: caller.principal, named: true }] },
      requests: 'any',
      headers: [],
      hosts: [],
      user: null,
      because: null,
    }
  );
};

describe('for every mesh and request', () => {
  const holds = (property: (world: { mesh: MeshIr; requests: MeshRequest[]; spare: readonly AccessRule[] }) => void): void =>
    fc.assert(fc.property(worlds, property), { numRuns: 60, seed: 4 });

  test('without rules, everything is denied', () => {
    holds(({ mesh, requests }) => {
      for (const request of requests) expect(allowed(withAccess(mesh, []), request)).toBe(0);
    });
  });
  test('adding an allow never removes one', () => {
    holds(({ mesh, requests }) => {
      const added = ruleFor(mesh, 'allow');
      if (!added) return;
      const wider = withAccess(mesh, [...mesh.access, added]);
      for (const request of requests) expect(allowed(wider, request)).toBeGreaterThanOrEqual(allowed(mesh, request));
    });
  });
  test('adding a deny only shrinks what is allowed', () => {
    holds(({ mesh, requests }) => {
      const added = ruleFor(mesh, 'deny');
      if (!added) return;
      const narrower = withAccess(mesh, [...mesh.access, added]);
      for (const request of requests) expect(allowed(narrower, request)).toBeLessThanOrEqual(allowed(mesh, request));
    });
  });
  test('order and duplicates of access rules do not matter', () => {
    holds(({ mesh, requests }) => {
      const shuffled = withAccess(mesh, [...mesh.access, ...mesh.access].reverse());
      for (const request of requests) expect(decide(shuffled, request)).toEqual(decide(mesh, request));
    });
  });
  test('shadow rules decide nothing', () => {
    holds(({ mesh, requests, spare }) => {
      const shadows = spare
        .filter((rule) => mesh.services.some((s) => s.ports.some((p) => p.key === rule.port)))
        .map((rule): AccessRule => ({ ...rule, mode: 'shadow' }));
      for (const request of requests)
        expect(decide(withAccess(mesh, [...mesh.access, ...shadows]), request)).toEqual(decide(mesh, request));
    });
  });
  test('the shares of a forwarded request add up to 100, and every allow names its rules', () => {
    holds(({ mesh, requests }) => {
      for (const request of requests) {
        const { destinations, outcome, because, stage, status } = decide(mesh, request);
        if (destinations.length > 0) expect(destinations.reduce((sum, d) => sum + d.share, 0)).toBe(100);
        for (const d of destinations) if (d.access === 'allow') expect(d.because.length).toBeGreaterThan(0);
        if (outcome === 'allow' && stage === 'inbound') expect([because.length > 0, status]).toEqual([true, null]);
      }
    });
  });
  test('what is let in at the inbound by name can be called', () => {
    holds(({ mesh }) => {
      for (const rule of mesh.access) {
        if (rule.action !== 'allow' || rule.mode !== 'enforce' || rule.callers.kind !== 'principals') continue;
        for (const workload of mesh.workloads) {
          if (rule.callers.principals.some((caller) => caller.principal === workload.principal && caller.named))
            expect(callableByWorkload(mesh).get(workload.key)).toContain(rule.port);
        }
      }
    });
  });
  test('the second hop alone, asked what the first one sends on, says what both say', () => {
    holds(({ mesh, requests }) => {
      for (const request of requests) {
        const decision = decide(mesh, request);
        const from = request.from.kind === 'workload' ? request.from.workload : request.from.gateway;
        const principal = mesh.workloads.find((w) => w.key === from)?.principal;
        if (!principal) throw new Error('no caller');
        for (const d of decision.destinations) {
          // the token as it comes there: a route may have edited its header
          const said = claimsOf(mesh.issuers, d.request.headers['authorization']);
          expect(decideInbound(mesh, { ...d.request, ...said, principal, port: d.port }).access).toBe(d.access);
        }
      }
    });
  });
  test('the pattern of a template takes what the template takes', () => {
    holds(({ mesh, requests }) => {
      const classes = mesh.access.flatMap((rule) => (rule.requests === 'any' ? [] : rule.requests));
      for (const cls of classes) {
        const pattern = new RegExp(`^(?:${pathTemplatePattern(cls.path)})$`);
        for (const request of requests) {
          const path = request.path.split('?')[0] ?? '';
          if (!path.includes('//')) expect(pattern.test(path)).toBe(matchesPath(cls.path, path));
        }
      }
    });
  });
});

/** The question of a probe, asked of the whole mesh. */
function asked(mesh: MeshIr, caller: WorkloadKey, port: PortKey, { text, method, path, headers, claims }: Probe): unknown {
  if (mesh.connectionRoutes.some((table) => table.port === port))
    return decideConnection(mesh, { from: caller, to: port, sni: /^a connection to (.+)$/.exec(text)?.[1] ?? null });
  return decide(mesh, { from: { kind: 'workload', workload: caller }, to: port, method, path, headers, ...(claims ? { claims } : {}) });
}
test('a comparison of two meshes asks them what the whole of each would say', () => {
  for (let seed = 0; seed < 5; seed++) {
    let turn = 0;
    const [before, after] = [generateMesh(seed, 4), generateMesh(seed + 1, 4)];
    for (const comparison of compareCalls(before, after)) {
      if (comparison.port === null || turn++ % 13 > 0) continue;
      for (const [mesh, said] of [
        [before, comparison.before],
        [after, comparison.after],
      ] as const) {
        if (said) expect(said).toEqual(asked(mesh, comparison.caller, comparison.port, comparison.probe));
      }
    }
  }
});
