/** The real Envoy, asking a name server of the test's own in place of the machine's, as patiently: for its clusters and whatever else it looks up. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { obtainEnvoy } from '../../platform/tools/envoy';
import { nameResolver } from '../../runtime-proxy/agent/names';

/** The path of a program that starts it; written into `folder`. `nameServer`: `host:port`. */
export async function envoyWithNames(folder: string, nameServer: string): Promise<string> {
  const [address = '', port = ''] = nameServer.split(':');
  const resolver = nameResolver(1);
  const config = JSON.stringify({
    typedDnsResolverConfig: {
      ...resolver,
      typedConfig: {
        ...resolver.typedConfig,
        resolvers: [{ socketAddress: { address, portValue: Number(port) } }],
        dnsResolverOptions: { noDefaultSearchDomain: true },
      },
    },
  });
  const program = path.join(folder, 'envoy');
  await fs.writeFile(program, `#!/bin/sh\nexec '${await obtainEnvoy()}' --config-yaml '${config}' "$@"\n`, { mode: 0o755 });
  return program;
}
