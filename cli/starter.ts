/** What `meshwright init` writes: the smallest mesh that has an owner, a rule, a route and a test. A test checks, tests and builds it. */
export function starter(): ReadonlyMap<string, string> {
  return new Map([
    // `git add .` takes neither private keys nor what is made anew
    ['.gitignore', '/.meshwright/\n/bundle/\nkeys.json\n'],
    [
      'package.json',
      `${JSON.stringify({ name: 'mesh', private: true, type: 'module', imports: { '#*': './policies/*/public.ts' } }, null, 2)}\n`,
    ],
    [
      'policies/mesh.policy.ts',
      `import { defineMesh } from 'meshwright/policy';

export const mesh = defineMesh({
  trustDomain: 'acme.example',
  environments: ['dev', 'prod'],
  teams: { shop: { namespaces: ['shop'] } },
  runs: { envoy: '1.40.0' },
});

declare module 'meshwright/policy' {
  interface Register {
    mesh: typeof mesh;
  }
}
`,
    ],
    [
      'policies/shop/services.policy.ts',
      `import { http, namespace, service, workload } from 'meshwright/policy';

export const shop = namespace('shop', { team: 'shop' });
export const web = workload(shop, 'web', { serviceAccount: 'shop-web' }); // calls, and is not called
export const cart = service(shop, 'cart', {
  serviceAccount: 'shop-cart',
  ports: { http: http(8080, { requests: ['GET /cart/{id}', 'POST /cart'] }) },
  versions: ['v1', 'v2'],
});
`,
    ],
    [
      'policies/shop/access.policy.ts',
      `import { cart, web } from './services.policy';

// What no rule allows is denied.
export const webReadsCarts = cart.ports.http.allow({ from: web, requests: ['GET /cart/{id}'] });
`,
    ],
    [
      'policies/shop/traffic.policy.ts',
      `import { per } from 'meshwright/policy';
import { cart } from './services.policy';

export const cartRoutes = cart.ports.http.route({
  rules: [],
  otherwise: { to: { v1: 90, v2: 10 }, timeout: per({ dev: '5s', prod: '1s' }) },
});
`,
    ],
    [
      'policies/shop/access.policy.test.ts',
      `import { ask, callersOf, expect, test } from 'meshwright/testing';
import { webReadsCarts } from './access.policy';
import { cart, web } from './services.policy';

test('the web front reads carts and does not write them', () => {
  expect(ask({ from: web, to: cart.ports.http, request: 'GET /cart/7' })).toBeAllowedBy(webReadsCarts);
  expect(ask({ from: web, to: cart.ports.http, request: 'POST /cart' })).toBeDenied();
});
test('nobody else reaches carts', () => expect(callersOf(cart.ports.http)).toEqual([web]));
`,
    ],
  ]);
}
