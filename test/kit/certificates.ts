/** Certificates for tests, made by the product's own authority, as Envoy's static secrets. */
import * as fs from 'node:fs/promises';
import type { JsonObject } from '../../core/lib/json';
import type { Principal, WorkloadKey } from '../../core/mesh/ids';
import { temporaryFolder } from '../../platform/files';
import { type Authority, newKeyAndCsr, openAuthority } from '../../runtime-proxy/ca/authority';

export interface TestAuthority {
  readonly trust: string;
  svid(principal: Principal, workload: WorkloadKey): Promise<{ readonly key: string; readonly chain: string }>;
  serving(hosts: readonly string[]): Promise<{ readonly key: string; readonly chain: string }>;
}

/** An authority for one test run; nothing of it stays on disk. */
export async function testAuthority(trustDomain: string): Promise<TestAuthority> {
  const folder = await temporaryFolder('ca-test');
  let authority: Authority;
  try {
    authority = await openAuthority(folder, trustDomain, Date.now);
  } finally {
    await fs.rm(folder, { recursive: true, force: true });
  }
  const hour = 3_600_000;
  return {
    trust: authority.trust,
    svid: async (principal, workload) => {
      const { key, csr } = await newKeyAndCsr();
      return { key, chain: (await authority.issueSvid(csr, { principal, workload, instance: 'test' }, hour)).chain };
    },
    serving: async (hosts) => {
      const { key, csr } = await newKeyAndCsr();
      return { key, chain: (await authority.issueServing(csr, hosts, hour)).chain };
    },
  };
}

/** envoy.extensions.transport_sockets.tls.v3.Secret with a certificate. */
export const certificateSecret = (name: string, pair: { readonly key: string; readonly chain: string }): JsonObject => ({
  name,
  tlsCertificate: { certificateChain: { inlineString: pair.chain }, privateKey: { inlineString: pair.key } },
});
/** The same with the roots to verify peers by. */
export const trustSecret = (trust: string): JsonObject => ({ name: 'trust', validationContext: { trustedCa: { inlineString: trust } } });
