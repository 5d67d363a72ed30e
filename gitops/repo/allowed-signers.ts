/**
 * Git's `gpg.ssh.allowedSignersFile`: who may sign, with which key, for what and when.
 * @see https://man.openbsd.org/ssh-keygen.1#ALLOWED_SIGNERS
 */
export interface AllowedSigner {
  /** Patterns with `*` and `?`; one that begins with `!` takes out. */
  readonly principals: readonly string[];
  readonly keyType: string;
  readonly publicKey: string;
  /** null: any. */
  readonly namespaces: readonly string[] | null;
  /** Milliseconds since the epoch. */
  readonly validAfter: number;
  readonly validBefore: number;
}

/** Reads the file. A line that is not understood throws, with its number: leaving it out could let somebody in, or lock everybody out unseen. */
export function parseAllowedSigners(text: string): readonly AllowedSigner[] {
  const signers: AllowedSigner[] = [];
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const fields = line.match(/(?:[^\s"]|"[^"]*")+/g) ?? [];
    const principals = unquote(fields.shift() ?? '').split(',');
    const options = fields[0] !== undefined && !/^(ssh-|ecdsa-|sk-)/.test(fields[0]) ? (fields.shift() ?? '') : '';
    const [keyType, publicKey] = fields;
    const bad = (reason: string): Error => new Error(`line ${index + 1}: ${reason}`);
    if (keyType === undefined || publicKey === undefined || !/^[A-Za-z0-9+/]+=*$/.test(publicKey)) throw bad('there is no key');
    let namespaces: readonly string[] | null = null;
    let [validAfter, validBefore] = [-Infinity, Infinity];
    for (const option of options === '' ? [] : (options.match(/(?:[^,"]|"[^"]*")+/g) ?? [])) {
      const [name = '', value = ''] = [option.split('=')[0], unquote(option.slice(option.indexOf('=') + 1))];
      if (name === 'namespaces') namespaces = value.split(',');
      else if (name === 'valid-after') validAfter = timeOf(value, bad);
      else if (name === 'valid-before') validBefore = timeOf(value, bad);
      else throw bad(`option \`${name}\` is not known here`);
    }
    signers.push({ principals, keyType, publicKey, namespaces, validAfter, validBefore });
  }
  return signers;
}

function matchesAny(patterns: readonly string[], name: string): boolean {
  let match = false;
  for (const pattern of patterns) {
    const bare = pattern.startsWith('!') ? pattern.slice(1) : pattern;
    if (!matches(bare, name)) continue;
    if (pattern.startsWith('!')) return false;
    match = true;
  }
  return match;
}

/** Whether one of them may sign with this key, in this namespace, under this name, at this time. */
export function isAllowed(
  signers: readonly AllowedSigner[],
  by: { readonly publicKey: string; readonly namespace: string; readonly principal: string; readonly at: number },
): boolean {
  return signers.some(
    (signer) =>
      signer.publicKey === by.publicKey &&
      (signer.namespaces === null || matchesAny(signer.namespaces, by.namespace)) &&
      matchesAny(signer.principals, by.principal) &&
      signer.validAfter <= by.at &&
      by.at < signer.validBefore,
  );
}

/** `*` is any text, `?` any one character. Not by a regular expression: a pattern of many stars would take for ever. */
function matches(pattern: string, name: string): boolean {
  let [p, n, star, mark] = [0, 0, -1, 0];
  while (n < name.length) {
    if (pattern[p] === '*') [star, mark, p] = [p, n, p + 1];
    else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === name[n])) [p, n] = [p + 1, n + 1];
    else if (star >= 0) [p, mark, n] = [star + 1, mark + 1, mark + 1];
    else return false;
  }
  return /^\**$/.test(pattern.slice(p));
}

const unquote = (text: string): string => text.replaceAll('"', '');

/** `YYYYMMDD[HHMM[SS]][Z]`; taken as UTC with and without the Z, so that it means the same on every machine. */
function timeOf(text: string, bad: (reason: string) => Error): number {
  const match = /^(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2})?)?Z?$/.exec(text);
  if (!match) throw bad(`\`${text}\` is not a time`);
  const [, year, month, day, hour = '0', minute = '0', second = '0'] = match;
  return Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
}
