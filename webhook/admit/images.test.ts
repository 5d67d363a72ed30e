import * as fc from 'fast-check';
import { isFrom, parseImage } from './images';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;

describe('23: the name of an image', () => {
  it.each([
    ['nginx', 'docker.io', 'library/nginx', null, null],
    ['nginx:1.27', 'docker.io', 'library/nginx', '1.27', null],
    ['docker.io/nginx', 'docker.io', 'library/nginx', null, null],
    ['docker.io/library/nginx', 'docker.io', 'library/nginx', null, null],
    ['index.docker.io/nginx', 'docker.io', 'library/nginx', null, null],
    ['DOCKER.IO/library/nginx', 'docker.io', 'library/nginx', null, null],
    ['acme/web', 'docker.io', 'acme/web', null, null],
    ['localhost/web', 'localhost', 'web', null, null],
    ['localhost:5000/web:v1', 'localhost:5000', 'web', 'v1', null],
    ['registry:5000/a/b/c', 'registry:5000', 'a/b/c', null, null],
    ['ghcr.io/acme/web', 'ghcr.io', 'acme/web', null, null],
    ['[::1]:5000/web', '[::1]:5000', 'web', null, null],
    [`ghcr.io/acme/web@${digest}`, 'ghcr.io', 'acme/web', null, digest],
    [`ghcr.io/acme/web:1.0.0@${digest}`, 'ghcr.io', 'acme/web', '1.0.0', digest],
    ['quay.io/a/b__c.d-e', 'quay.io', 'a/b__c.d-e', null, null],
  ])('%s', (text, registry, repository, tag, pinned) =>
    expect(parseImage(text)).toEqual({ kind: 'image', image: { registry, repository, tag, digest: pinned } }),
  );
  it.each([
    [''],
    [`web@sha256:${'A'.repeat(64)}`],
    [`web@${digest.slice(0, -1)}`],
    [`web@${digest}@${digest}`],
    ['web@sha512:00'],
    ['web@'],
    ['web:'],
    ['web:a b'],
    ['ghcr.io/Acme/web'],
    ['ghcr.io//web'],
    ['ghcr.io/web/'],
    ['ghcr.io/../web'],
    ['ghcr.io/a\u0000b'],
    ['https://ghcr.io/web'],
    ['-x/web.y:80/z:'],
    [' nginx'],
    ['x'.repeat(5_000)],
  ])('%j is none', (text) => expect(parseImage(text).kind).toBe('malformed'));

  it('is from a place only when it lies below the whole prefix, aliases written out on both sides', () => {
    const from = (text: string, prefix: string): boolean => {
      const parsed = parseImage(text);
      return parsed.kind === 'image' && isFrom(parsed.image, prefix);
    };
    expect(from('ghcr.io/acme/web', 'ghcr.io/acme/')).toBe(true);
    expect(from('ghcr.io/acme-evil/web', 'ghcr.io/acme/')).toBe(false);
    expect(from('ghcr.io/acme-evil/web', 'ghcr.io/acme')).toBe(false);
    expect(from('ghcr.io.evil.example/acme/web', 'ghcr.io/')).toBe(false);
    expect(from('GHCR.IO/acme/web', 'ghcr.io/acme/')).toBe(true);
    expect(from('nginx', 'docker.io/library/')).toBe(true);
    expect(from('nginx', 'library/')).toBe(true);
    expect(from('docker.io/library/nginx', 'index.docker.io/library/')).toBe(true);
    expect(from('library.evil.example/nginx', 'library/')).toBe(false);
    expect(from('localhost:5000/a', 'localhost:5000/')).toBe(true);
    expect(from('localhost:5001/a', 'localhost:5000/')).toBe(false);
    expect(from('anything', '')).toBe(false);
  });
  it('is the same image when its own long form is read', () => {
    const part = fc.stringMatching(/^[a-z0-9]{1,8}$/);
    fc.assert(
      fc.property(
        fc.option(fc.constantFrom('ghcr.io', 'localhost:5000', 'docker.io')),
        fc.array(part, { minLength: 1, maxLength: 3 }),
        (host, path) => {
          const first = parseImage([...(host === null ? [] : [host]), ...path].join('/'));
          if (first.kind !== 'image') throw new Error('not read');
          expect(parseImage(`${first.image.registry}/${first.image.repository}`)).toEqual(first);
        },
      ),
      { seed: 4 },
    );
  });
});
