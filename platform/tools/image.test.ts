/** The image starts what the product would take from PATH: an Envoy or Pulumi that it does not take leaves pods without a proxy. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { envoyVersion } from './envoy';
import { pulumiVersion } from './pulumi';

test('the image has the Envoy, the Pulumi and the nft that are obtained elsewhere', () => {
  const image = fs.readFileSync(path.join(__dirname, '../../Dockerfile'), 'utf8');
  expect(/envoy:distroless-v(\S+)/.exec(image)?.[1]).toBe(envoyVersion);
  expect(image).toMatch(/apt-get install .*\bnftables\b/);
  expect(/pulumi-base:(\S+)/.exec(image)?.[1]).toBe(pulumiVersion);
});
