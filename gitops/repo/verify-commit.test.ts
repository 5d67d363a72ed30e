import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runGit } from '../../platform/git';
import { parseAllowedSigners } from './allowed-signers';
import { parseCommit } from './commit-object';
import { verifyCommit } from './verify-commit';

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'meshwright-sign-'));
  await runGit(['init', '--quiet', '--initial-branch=main', dir]);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const idOf = (bytes: Uint8Array): string => createHash('sha1').update(`commit ${bytes.length}\0`).update(bytes).digest('hex');
const now = Date.UTC(2026, 10, 22);

async function signed(type: readonly string[], options = ''): Promise<{ bytes: Buffer; oid: string; signers: string }> {
  const key = join(dir, `key-${type.join('-')}`);
  await rm(key, { force: true });
  execFileSync('ssh-keygen', ['-q', '-N', '', '-C', 'x', '-t', ...type, '-f', key]);
  await runGit(
    ['-c', 'gpg.format=ssh', '-c', `user.signingkey=${key}`, 'commit', '--quiet', '--allow-empty', '-S', '-m', 'a change\n\nwith a body'],
    { cwd: dir },
  );
  const oid = (await runGit(['rev-parse', 'HEAD'], { cwd: dir })).trim();
  const bytes = execFileSync('git', ['cat-file', 'commit', oid], { cwd: dir });
  return { bytes, oid, signers: `*@localhost ${options} ${(await readFile(`${key}.pub`, 'utf8')).trim()}\n` };
}
const codes = (bytes: Uint8Array, oid: string, signers: string, at = now): string[] =>
  verifyCommit(bytes, oid, parseAllowedSigners(signers), at).map((d) => d.code);

const hasSshKeygen = ((): boolean => {
  try {
    execFileSync('ssh-keygen', ['-?'], { stdio: 'ignore' });
    return true;
  } catch (error) {
    return (error as { code?: string }).code !== 'ENOENT';
  }
})();
const withSsh = hasSshKeygen ? test : test.skip;

withSsh.each([[['ed25519']], [['ecdsa', '-b', '256']], [['ecdsa', '-b', '521']], [['rsa', '-b', '2048']]])(
  'a commit that git signed with %s',
  async (type) => {
    const { bytes, oid, signers } = await signed(type);
    expect(codes(bytes, oid, signers)).toEqual([]);
    expect(codes(bytes, oid, '')).toEqual(['MW7112']);
    expect(codes(bytes, oid, signers.replace('*@localhost', 'boss@localhost'))).toEqual(['MW7112']);
    // Every changed byte of the message, of the tree and of the signature is noticed.
    for (const place of [7, bytes.indexOf('a change'), bytes.indexOf('SIGNATURE-----') + 40, bytes.length - 2]) {
      const changed = Buffer.from(bytes);
      changed[place] = changed[place] === 65 ? 66 : 65;
      expect(codes(changed, idOf(changed), signers)).toHaveLength(1);
      expect(codes(changed, oid, signers)).toEqual(['MW7113']);
    }
  },
);

withSsh('keys have their time and purpose, by our clock', async () => {
  const { bytes, oid, signers } = await signed(['ed25519'], 'namespaces="git",valid-after="20260101",valid-before="20270101Z"');
  expect(codes(bytes, oid, signers)).toEqual([]);
  expect(codes(bytes, oid, signers, Date.UTC(2025, 0, 1))).toEqual(['MW7112']);
  expect(codes(bytes, oid, signers, Date.UTC(2027, 0, 1))).toEqual(['MW7112']);
  expect(codes(bytes, oid, signers.replace('"git"', '"file"'))).toEqual(['MW7112']);
  expect(() => parseAllowedSigners(signers.replace('namespaces', 'cert-authority'))).toThrow('line 1');
});

withSsh.each([
  ['lines that end in CRLF', Buffer.from('a change\r\n\r\nwith a body\r\n'), 'UTF-8'],
  ['another encoding', Buffer.from('\xe9t\xe9\n', 'latin1'), 'ISO-8859-1'],
])('22: a message with %s is judged as git judges it', async (_what, message, encoding) => {
  const { signers } = await signed(['ed25519']);
  const [messageFile, signersFile] = [join(dir, 'raw-message'), join(dir, 'allowed-signers')];
  await writeFile(messageFile, message);
  await writeFile(signersFile, signers.replace('*@localhost', '*'));
  const git = (...args: readonly string[]): Promise<string> =>
    runGit(
      [
        '-c',
        'gpg.format=ssh',
        '-c',
        `gpg.ssh.allowedSignersFile=${signersFile}`,
        '-c',
        `user.signingkey=${join(dir, 'key-ed25519')}`,
        ...args,
      ],
      { cwd: dir },
    );
  await git('-c', `i18n.commitEncoding=${encoding}`, 'commit', '-q', '--allow-empty', '-S', '--cleanup=verbatim', '-F', messageFile);
  const bytes = execFileSync('git', ['cat-file', 'commit', 'HEAD'], { cwd: dir });
  expect(bytes.includes(message)).toBe(true);
  await git('verify-commit', 'HEAD');
  expect(codes(bytes, idOf(bytes), signers)).toEqual([]);
  const changed = Buffer.from(bytes);
  changed[changed.length - 2] = 120;
  execFileSync('git', ['hash-object', '-t', 'commit', '-w', '--stdin'], { cwd: dir, input: changed });
  await expect(git('verify-commit', idOf(changed))).rejects.toThrow();
  expect(codes(changed, idOf(changed), signers)).toEqual(['MW7111']);
});

withSsh('a signature of another file is not one of the commit', async () => {
  const { bytes, oid, signers } = await signed(['ed25519']);
  const other = await signed(['ed25519']);
  const part = (text: Buffer): string => /gpgsig [\s\S]*?-----END SSH SIGNATURE-----/.exec(text.toString('latin1'))?.[0] ?? '';
  const mixed = Buffer.from(bytes.toString('latin1').replace(part(bytes), part(other.bytes)), 'latin1');
  expect(codes(mixed, idOf(mixed), signers + other.signers)).toEqual(['MW7111']);
  await writeFile(join(dir, 'message'), parseCommit(bytes, oid).payload);
  execFileSync('ssh-keygen', ['-q', '-Y', 'sign', '-n', 'file', '-f', join(dir, 'key-ed25519'), join(dir, 'message')], { stdio: 'ignore' });
  const foreign = (await readFile(join(dir, 'message.sig'), 'utf8')).trim().split('\n').join('\n ');
  const wrong = Buffer.from(bytes.toString('latin1').replace(part(bytes), `gpgsig ${foreign}`), 'latin1');
  expect(codes(wrong, idOf(wrong), signers)).toEqual(['MW7111']);
});

const plain = 'tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@x> 1 +0000\ncommitter A <a@x> 1 +0000\n\nmessage\n';
test.each([
  ['unsigned', plain, 'MW7110'],
  ['two trees', plain.replace('author', `tree ${'1'.repeat(40)}\nauthor`), 'MW7113'],
  ['two committers', plain.replace('\n\n', '\ncommitter B <b@x> 1 +0000\n\n'), 'MW7113'],
  ['an unknown header', plain.replace('\n\n', '\nmergetag x\n\n'), 'MW7113'],
  ['a header that goes on', plain.replace('\nauthor', '\n tree\nauthor'), 'MW7113'],
  ['two signatures', plain.replace('\n\n', '\ngpgsig x\ngpgsig y\n\n'), 'MW7113'],
  ['no message', plain.split('\n\n')[0] ?? '', 'MW7113'],
  ['nothing', '', 'MW7113'],
  ['a PGP signature', plain.replace('\n\n', '\ngpgsig -----BEGIN PGP SIGNATURE-----\n x\n\n'), 'MW7111'],
])('a commit that is or has %s is refused', (_name, text, code) => {
  const bytes = Buffer.from(text);
  expect(codes(bytes, idOf(bytes), '')).toEqual([code]);
});
