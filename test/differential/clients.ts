/** Certificates that clients of the gateway show: of the authorities that it asks for, and of others. */
import { X509Certificate } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { principalOf, workloadKey } from '../../core/mesh/ids';
import { testAuthority } from '../kit/certificates';
import { gateway } from '../kit/mesh-generator-gateway';
import { trustDomain } from '../kit/running-mesh';

export interface ClientCertificate {
  readonly key: string;
  readonly chain: string;
  /** SHA-256, as a gateway says it. */
  readonly fingerprint: string;
  readonly subject: string;
}

/** By name (test/kit/mesh-generator-clients.ts). `folder`: where the gateway's agent looks for the authorities. */
export async function clientCertificates(folder: string): Promise<ReadonlyMap<string, ClientCertificate>> {
  const [partners, others] = [await testAuthority('partners.example'), await testAuthority('partners.example')];
  await fs.mkdir(path.join(folder, gateway.trust), { recursive: true });
  await fs.writeFile(path.join(folder, gateway.trust, 'ca.crt'), partners.trust);
  // a partner writes into its own certificates what it likes: also the name of a workload of the mesh
  const [job, edge] = [principalOf(trustDomain, 'two', 'job'), principalOf('partners.example', 'x', 'y')];
  const made = async (authority: typeof partners, principal: typeof job): Promise<ClientCertificate> => {
    const pair = await authority.svid(principal, workloadKey('two', 'job'));
    const { fingerprint256, subject } = new X509Certificate(pair.chain);
    // RFC 2253: the last part first
    return {
      ...pair,
      fingerprint: fingerprint256.replaceAll(':', '').toLowerCase(),
      subject: subject.split('\n').reverse().join(','),
    };
  };
  return new Map([
    ['partner', await made(partners, job)],
    ['other-partner', await made(partners, edge)],
    ['stranger', await made(others, job)],
    ['of-the-mesh', await made(await testAuthority(trustDomain), job)],
  ]);
}
