import type { RouteAction } from '../ir/ir';
import { plainRedirect } from '../ir/plain';
import { locationOf } from './redirect';

type Redirect = Extract<RouteAction, { kind: 'redirect' }>;
test.each<readonly [over: Partial<Redirect>, scheme: 'http' | 'https', host: string, location: string]>([
  [{ host: 'b.example' }, 'http', 'a.example:8080', 'http://b.example/x?y=1'],
  [{ port: 8443 }, 'https', 'a.example:9', 'https://a.example:8443/x?y=1'],
  [{ port: 8443 }, 'https', 'a.example:', 'https://a.example:8443/x?y=1'],
  [{ port: 8443 }, 'https', '[::1]:9', 'https://[::1]:8443/x?y=1'],
  [{ scheme: 'https' }, 'http', 'a.example:80', 'https://a.example/x?y=1'],
  [{ scheme: 'https' }, 'http', 'a.example:8080', 'https://a.example:8080/x?y=1'],
  [{ scheme: 'http' }, 'https', 'a.example:443', 'http://a.example/x?y=1'],
  [{ scheme: 'https' }, 'https', 'a.example:443', 'https://a.example:443/x?y=1'],
  [{ path: [] }, 'http', 'a.example', 'http://a.example/?y=1'],
])('%j on %s://%s', (over, scheme, host, location) => {
  const view = { method: 'GET', path: '/x?y=1', host: host.replace(/:[0-9]*$/, ''), headers: { host }, scheme };
  expect(locationOf({ ...plainRedirect, ...over }, null, view)).toBe(location);
});
