import { Writable } from 'node:stream';
import { createLog } from './log';

function logged(write: (log: ReturnType<typeof createLog>) => void): Record<string, unknown>[] {
  const lines: string[] = [];
  const destination = new Writable({ write: (chunk, _encoding, done) => (lines.push(String(chunk)), done()) });
  write(createLog('test', { level: 'debug', destination }));
  return lines.map((line) => JSON.parse(line));
}

describe('the log', () => {
  it('writes one JSON object a line with level, name and message', () => {
    const [line] = logged((log) => log.info({ port: 7 }, 'listening'));
    expect(line).toMatchObject({ level: 'info', name: 'test', msg: 'listening', port: 7 });
  });
  it('never prints a token, key, signature or authorization header, at three depths', () => {
    const secret = 'sesame-4711';
    const lines = logged((log) => {
      log.info({ token: secret, request: { authorization: secret, headers: { authorization: secret, cookie: secret } } }, 'a');
      log.info({ jwk: { d: secret }, jws: secret, config: { signer: { privateKey: secret } } }, 'b');
    });
    expect(JSON.stringify(lines)).not.toContain(secret);
    expect(JSON.stringify(lines)).toContain('[redacted]');
  });
  it('prints the words of an error', () => {
    const [line] = logged((log) => log.error({ err: new Error('no such port') }, 'failed'));
    expect(JSON.stringify(line)).toContain('no such port');
  });
});
