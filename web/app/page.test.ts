import { runInNewContext } from 'node:vm';
import { contentSecurityPolicy, page } from './page';
import { script } from './script';

/** As much of a document as the script asks for. Markup in a text stays text: there is no parser behind it. */
class Node {
  textContent: string | null = null;
  className = '';
  title = '';
  readonly style: Record<string, string> = {};
  readonly attributes: Record<string, string> = {};
  children: (Node | string)[] = [];
  append(...more: (Node | string)[]): void {
    this.children.push(...more);
  }
  replaceChildren(...all: (Node | string)[]): void {
    this.children = all;
  }
  setAttribute(name: string, value: string): void {
    this.attributes[name] = value;
  }
  text(): string {
    return [this.textContent ?? '', ...this.children.map((child) => (typeof child === 'string' ? child : child.text()))].join(' ');
  }
}

async function shown(status: unknown, ok = true): Promise<Readonly<Record<string, string>>> {
  const byId = new Map<string, Node>();
  const at = (id: string): Node => byId.get(id) ?? (byId.set(id, new Node()), at(id));
  const asked = new Promise<void>((resolve) => {
    runInNewContext(script, {
      document: { getElementById: at, createElement: () => new Node(), createTextNode: (text: string) => text },
      fetch: () => Promise.resolve({ ok, status: 500, json: () => Promise.resolve(status) }),
      setTimeout: () => resolve(), // the next look is not taken
    });
  });
  await asked;
  return Object.fromEntries([...byId].map(([id, node]) => [id, node.text()]));
}

const part = { set: 'candidate', phase: 'active' };
const hostile = '<img src=x onerror=alert(1)>';
const status = {
  live: { commit: 'a'.repeat(40) },
  attempts: [
    {
      commit: 'b'.repeat(40),
      phase: 'compile',
      outcome: 'refused',
      summary: null,
      legs: { fetch: 12, compile: 340 },
      diagnostics: [{ code: 'MW3107', severity: 'error', message: hostile, span: { file: 'orders/x.policy.ts', line: 4, column: 2 } }],
    },
  ],
  mesh: {
    environment: 'prod',
    generation: 7,
    state: 'rolling',
    step: 0,
    steps: 2,
    wave: 1,
    message: 'waits for page-1',
    proxies: [
      {
        instance: 'page-1',
        workload: 'shop/page',
        connected: true,
        envoyVersion: '1.40.0',
        concerned: true,
        responses: 3,
        lastError: null,
        secrets: [{ kind: 'certificate', name: 'platform/edge-tls', state: 'missing', reason: 'there is none' }],
        parts: { inbound: part, outbound: part },
      },
    ],
  },
};

test('says what is live, what rolls, who has what, and why a commit was refused', async () => {
  const texts = await shown(status);
  expect(texts['headline']).toContain('live aaaaaaaaaaaa, prod, 1 of 1 proxies connected');
  expect(texts['rollout']).toContain('generation 7, rolling, step 1 of 2, wave 2');
  expect(texts['proxies']).toContain('page-1');
  expect(texts['proxies']).toContain('certificate platform/edge-tls missing: there is none');
  expect(texts['commits']).toContain(`orders/x.policy.ts:4:2 error MW3107 ${hostile}`);
});

test('says so when the loop does not answer, and when the control plane does not', async () => {
  expect((await shown({}, false))['headline']).toContain('the loop does not answer');
  expect((await shown({ ...status, mesh: null }))['rollout']).toContain('the control plane does not answer');
});

test('never turns text into markup, and may load nothing but itself', () => {
  for (const { body } of page) expect(body).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|https?:/);
  expect(contentSecurityPolicy).toContain("default-src 'none'");
  expect(contentSecurityPolicy).not.toContain('unsafe');
});
