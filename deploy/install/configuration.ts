/** Each server's JSON configuration, and where in its pod what it names is. */
import { meshNamespace } from '../../core/bundle/custom-resource';
import { canonicalJson } from '../../core/lib/json';
import { trustConfigMap } from '../../core/mesh/pod';
import { installationName, paths, ports, shared, type Server } from './names';
import type { InstallValues } from './values';

/** Of either family: a cluster may have one, the other, or both. */
const everywhere = '::';
const host = (server: Server): string => `${server}.${meshNamespace}.svc`;
const trustFile = `${paths.trust}/trust.json`;

/** The text of `config.json` of one server: canonical, so that the same values give the same bytes wherever they are written. */
export function configurationOf(server: Server, values: InstallValues): string {
  return `${canonicalJson(configurations[server](values))}\n`;
}
/** A file beside `config.json`, read at each use: of the authorities of issuers, or empty. */
export const issuerAuthorities = 'issuers.pem';

const configurations: { readonly [server in Server]: (values: InstallValues) => object } = {
  'control-plane': ({ environment, trustDomain, issuerKeys: { networks, everySeconds } }) => ({
    environment,
    trustDomain,
    kubernetes: { namespace: meshNamespace },
    listen: { host: everywhere, port: ports.xds },
    admin: { host: everywhere, port: ports.admin },
    adminTokenFile: `${paths.run}/admin/token`,
    trustFile,
    ca: { address: `${host('ca')}:${ports.ca}`, trustFile: `${paths.run}/ca/${trustConfigMap.key}` },
    tokenFile: `${paths.token}/token`,
    issuerKeys: { networks, everySeconds, trustFile: `${paths.config}/${issuerAuthorities}` },
  }),
  webhook: ({ environment, trustDomain, deployers, image, imagePullPolicy, webhook }) => ({
    ...webhook.settings,
    managedCertificate: { secret: shared.webhookCertificates },
    environment,
    trustFile,
    deployers,
    // Whether it is asked to inject is the mutating configuration's to say.
    injection: {
      image,
      imagePullPolicy,
      trustDomain,
      controlPlane: { host: host('control-plane'), port: ports.xds },
      ca: { host: host('ca'), port: ports.ca },
    },
    listen: { host: everywhere, port: ports.webhook },
    admin: { host: everywhere, port: ports.admin },
    configurationName: installationName,
  }),
  ca: ({ trustDomain, gatewayCertificates }) => ({
    trustDomain,
    stateDir: `${paths.state}/ca`,
    listen: { host: everywhere, port: ports.ca },
    admin: { host: everywhere, port: ports.admin },
    // Nobody mints join tokens here: pods prove themselves.
    adminTokenFile: `${paths.state}/ca/admin.token`,
    certificates: gatewayCertificates,
    kubernetes: { secret: shared.caRoot },
  }),
  gitops: ({ environment, gitops }) => ({
    ...gitops.settings,
    environment,
    stateDir: `${paths.state}/gitops`,
    signerSocket: `${paths.run}/sockets/signer/signer.sock`,
    trustFile,
    listen: { host: everywhere, port: ports.gitops },
    target: {
      kind: 'kubernetes',
      adminUrl: `http://${host('control-plane')}:${ports.admin}`,
      tokenFile: `${paths.run}/admin/token`,
      stateDir: `${paths.state}/pulumi`,
      stack: environment,
    },
  }),
};

/** The signer's, beside the loop in its pod: the loop never reads the key. */
export const signerConfiguration = (): string =>
  `${canonicalJson({
    keyFile: `${paths.run}/keys/keys.json`,
    socketPath: `${paths.run}/sockets/signer/signer.sock`,
    stateFile: `${paths.state}/signer/state.json`,
  })}\n`;
