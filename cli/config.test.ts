import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { temporaryFolder } from '../platform/files';
import { decodeConfig, type ConfigName } from './config';
import { upConfigFrom, type UpFile } from './up/config';
import { Values } from './values';

let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder('config');
});
afterAll(() => fs.rm(folder, { recursive: true }));

const signer = { keyFile: 'k', socketPath: 's', stateFile: 'f' };
const upFile = {
  ...{ dir: 'd', trustDomain: 'td', environment: 'prod', repositoryUrl: 'http://x/', accounts: { 'shop/a': 'shop/a' } },
  inventory: { instances: [{ id: 'a-1', workload: 'shop/a' }] },
};

async function refusal(name: ConfigName, config: object): Promise<string> {
  const file = path.join(folder, 'config.json');
  await fs.writeFile(file, JSON.stringify(config));
  return decodeConfig(name, new Values({ config: file })).then(
    () => '',
    (error: unknown) => (error instanceof Error ? error.message.replace(`${file}: `, '') : String(error)),
  );
}

test('a file that says what it may is taken', async () => {
  expect(await refusal('signer', signer)).toBe('');
  expect(await refusal('up', upFile)).toBe('');
});
test.each(['control-plane', 'ca', 'agent', 'gitops', 'webhook', 'signer', 'up'] as const)(
  '%s refuses a member that it does not know',
  async (name) => {
    expect(await refusal(name, { environmemt: 'prod', ...signer, more: 1 })).toContain('`the file` has an unknown member `more`');
  },
);
test('an unknown member is named with its place and the nearest that is known', async () => {
  expect(await refusal('signer', { ...signer, statefile: 'f' })).toBe(
    '`the file` has an unknown member `statefile`: did you mean `stateFile`?',
  );
  expect(await refusal('up', { ...upFile, certificates: { 'shop/web': { host: [], hosts: [], workloads: [] } } })).toBe(
    '`certificates.shop/web` has an unknown member `host`: did you mean `hosts`?',
  );
});
test('where one of several forms fits but for a slip, what is named is the slip', async () => {
  const said = await refusal('agent', { controlPlane: { host: 'h', prot: 1 } });
  expect(said).toContain('`controlPlane` has an unknown member `prot`: did you mean `port`?');
  expect(said).not.toContain('unknown member `host`');
});

describe('what `up` is told', () => {
  const made = (change: Partial<UpFile>): ReturnType<typeof upConfigFrom> => upConfigFrom({ ...upFile, ...change });
  test('has its inventory read as the control plane reads it', () => {
    expect(made({})).toMatchObject({ inventory: { instances: [{ id: 'a-1', app: {}, inbound: {} }] } });
    expect(made({ inventory: { instances: [{ ...upFile.inventory.instances[0], prioritty: 1 }] } })).toBe(
      'MW9045 `inventory` cannot be used: `instances[0]` has an unknown member `prioritty`; did you mean `priority`?',
    );
    expect(made({ inventory: {} })).toMatch(/^MW9002 .*`instances` must be a list/);
  });
  test('has an account for each workload', () => {
    expect(made({ accounts: {} })).toBe('`accounts` says nothing of `shop/a`, which `a-1` runs');
  });
});
