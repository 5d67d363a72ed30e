import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '../files';
import { kubeFromFile } from './index';

const cluster = (server: string): object => ({
  clusters: [{ name: 'c', cluster: { server } }],
  contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
  users: [{ name: 'u', user: {} }],
  'current-context': 'c',
});

describe('a kubeconfig that cannot be used says so in one line, with its name', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await temporaryFolder('kubeconfig');
  });
  afterAll(() => fs.rm(dir, { recursive: true, force: true }));

  test('that is not there', () =>
    expect(kubeFromFile(join(dir, 'none'))).rejects.toThrow(new Error(`there is no kubeconfig \`${join(dir, 'none')}\``)));

  test('that cannot be read', () =>
    expect(kubeFromFile(dir)).rejects.toThrow(new Error(`the kubeconfig \`${dir}\` cannot be read (EISDIR)`)));

  test.each([
    ['that is no YAML', '{{{{\n- x'],
    ['that is empty', ''],
    ['whose context is not there', JSON.stringify({ ...cluster('https://127.0.0.1:1'), 'current-context': 'other' })],
    ['without TLS', JSON.stringify(cluster('http://127.0.0.1:1'))],
    ['whose server is no URL', JSON.stringify(cluster('nonsense'))],
  ])('%s', async (_what, text) => {
    const file = join(dir, 'kubeconfig');
    await fs.writeFile(file, text);
    const said = await kubeFromFile(file).then(
      () => 'nothing',
      (error: Error) => error.message,
    );
    expect(said).toMatch(new RegExp(`^the kubeconfig \`${file}\` cannot be used: [^\n]{10,200}$`));
  });
});
