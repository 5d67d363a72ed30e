import { readFile } from 'node:fs/promises';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { gitops } from '../../core/diagnostics/gitops';
import { reasonOf } from '../../core/lib/reason';
import { isAllowed, parseAllowedSigners, type AllowedSigner } from './allowed-signers';
import { MalformedCommit, parseCommit, type SignedCommit } from './commit-object';
import { BadSignature, verifySshSignature } from './ssh-signature';

/**
 * Whether a commit is signed by one of the allowed signers, now: the key's validity is judged by our clock, since the committer's is the signer's own
 * claim. Empty means good. Only this commit is looked at, not its ancestors: it is the one that is deployed.
 */
export function verifyCommit(bytes: Uint8Array, oid: string, signers: readonly AllowedSigner[], now: number): readonly Diagnostic[] {
  let commit: SignedCommit;
  try {
    commit = parseCommit(bytes, oid);
  } catch (error) {
    if (error instanceof MalformedCommit) return [gitops.commitMalformed({ commit: oid, reason: error.message })];
    throw error;
  }
  if (commit.signature === null) return [gitops.commitUnsigned({ commit: oid })];
  try {
    const { publicKey, namespace, fingerprint } = verifySshSignature(commit.signature, commit.payload, 'git');
    const allowed = isAllowed(signers, { publicKey, namespace, principal: commit.committerEmail, at: now });
    return allowed ? [] : [gitops.signerUnknown({ commit: oid, fingerprint })];
  } catch (error) {
    if (error instanceof BadSignature) return [gitops.signatureBad({ commit: oid, reason: error.message })];
    throw error;
  }
}

/** The allowed signers of a file, read anew for each commit so that a key can be withdrawn at any time. Throws when the file cannot be used. */
export async function readAllowedSigners(file: string): Promise<readonly AllowedSigner[]> {
  try {
    return parseAllowedSigners(await readFile(file, 'utf8'));
  } catch (error) {
    throw new Error(`allowed signers \`${file}\`: ${reasonOf(error)}`, { cause: error });
  }
}
