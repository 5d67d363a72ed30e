/** The real Envoy, asking a name server of the test's own in place of the machine's: for its clusters and whatever else it looks up. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { obtainEnvoy } from '../../platform/tools/envoy';

/** The path of a program that starts it; written into `folder`. `nameServer`: `host:port`. */
export async function envoyWithNames(folder: string, nameServer: string): Promise<string> {
  const [address = '', port = ''] = nameServer.split(':');
  const resolver = {
    name: 'envoy.network.dns_resolver.cares',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig',
      resolvers: [{ socket_address: { address, port_value: Number(port) } }],
      dns_resolver_options: { no_default_search_domain: true },
    },
  };
  const program = path.join(folder, 'envoy');
  const config = JSON.stringify({ typed_dns_resolver_config: resolver });
  await fs.writeFile(program, `#!/bin/sh\nexec '${await obtainEnvoy()}' --config-yaml '${config}' "$@"\n`, { mode: 0o755 });
  return program;
}
