import { agentConfigFrom } from './kubernetes-config';

const given = {
  POD_NAME: 'front-1',
  POD_NAMESPACE: 'shop',
  POD_IP: 'fd00::1',
  MESHWRIGHT_WORKLOAD: 'shop/front',
  MESHWRIGHT_TRUST_DOMAIN: 'mesh.test',
  MESHWRIGHT_CONTROL_PLANE: 'control-plane.meshwright.svc:15010',
  MESHWRIGHT_CA: 'ca.meshwright.svc:15011',
  MESHWRIGHT_TRUST_FILE: '/etc/meshwright/trust/trust.pem',
  MESHWRIGHT_TOKEN_FILE: '/var/run/token',
  MESHWRIGHT_RUN_DIR: '/run/meshwright/agent',
  MESHWRIGHT_DRAIN_MS: '5000',
};

test('the sidecar’s environment is its configuration', () => {
  expect(agentConfigFrom(given)).toEqual({
    instance: 'front-1.shop',
    workload: 'shop/front',
    trustDomain: 'mesh.test',
    controlPlane: { host: 'control-plane.meshwright.svc', port: 15010 },
    ca: { address: 'ca.meshwright.svc:15011', trustFile: '/etc/meshwright/trust/trust.pem' },
    serviceAccountTokenFile: '/var/run/token',
    runDir: '/run/meshwright/agent',
    admin: { host: 'fd00::1', port: 15021 },
    drainMs: 5000,
  });
});
test('the protocol by which Envoy asks may be given, and is one of two', () => {
  expect(agentConfigFrom({ ...given, MESHWRIGHT_XDS: 'state-of-the-world' })).toMatchObject({ xds: 'state-of-the-world' });
  expect(() => agentConfigFrom({ ...given, MESHWRIGHT_XDS: 'grpc' })).toThrow(
    '`MESHWRIGHT_XDS` is neither `delta` nor `state-of-the-world`',
  );
});
test('where the certificates are that the pod names is said where it names some', () => {
  expect(agentConfigFrom({ ...given, MESHWRIGHT_CERTIFICATES_DIR: '/etc/x' })).toMatchObject({ certificatesDir: '/etc/x' });
});
test('what is missing or wrong is named, all of it', () => {
  const { POD_IP: _, ...without } = given;
  expect(() => agentConfigFrom({ ...without, MESHWRIGHT_CA: 'ca', MESHWRIGHT_DRAIN_MS: 'soon' })).toThrow(
    /`POD_IP` is missing; `MESHWRIGHT_CA` is not `<host>:<port>`; `MESHWRIGHT_DRAIN_MS` is not a whole number/,
  );
});
