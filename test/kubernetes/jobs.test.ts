/** A CI job that the API server authenticates by the job's own token: what the webhook sees of it, and that nobody else looks like it. */
import * as fs from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from 'jose';
import { startKubernetes, type KubernetesServer } from '../../platform/kubernetes-server';
import { jobOf } from '../../webhook/admit/deployers';
import { testAuthority } from '../kit/certificates';
import { patientKube } from '../kit/patient-kube';
import { isDone, until } from '../kit/until';

const prefix = 'ci:';
let dir: string;
let server: KubernetesServer;
let issuer: Server;
let issuerUrl: string;
let key: CryptoKey;

beforeAll(async () => {
  dir = await fs.mkdtemp(join(tmpdir(), 'mw-jobs-'));
  const authority = await testAuthority('acme.example');
  const { key: tlsKey, chain } = await authority.serving(['localhost']);
  const pair = await generateKeyPair('ES256', { extractable: true });
  key = pair.privateKey;
  const jwks = { keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' }] };
  issuer = createServer({ key: tlsKey, cert: chain }, (request, response) => {
    const answer =
      request.url === '/keys'
        ? jwks
        : { issuer: issuerUrl, jwks_uri: `${issuerUrl}/keys`, id_token_signing_alg_values_supported: ['ES256'] };
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve, reject) => issuer.once('error', reject).listen(0, 'localhost', resolve));
  const address = issuer.address();
  issuerUrl = `https://localhost:${typeof address === 'object' && address ? address.port : 0}`;
  const extra = (name: string, claim: string): object => ({ key: `meshwright.dev/${name}`, valueExpression: claim });
  const file = join(dir, 'authentication.json');
  await fs.writeFile(
    file,
    JSON.stringify({
      apiVersion: 'apiserver.config.k8s.io/v1beta1',
      kind: 'AuthenticationConfiguration',
      jwt: [
        {
          issuer: { url: issuerUrl, audiences: ['kubernetes'], certificateAuthority: authority.trust },
          claimMappings: {
            username: { expression: `"${prefix}" + claims.sub` },
            extra: [
              extra('repository', 'claims.repository'),
              extra('ref', 'claims.ref'),
              extra('environment', 'has(claims.environment) ? claims.environment : ""'),
            ],
          },
        },
      ],
    }),
  );
  server = await startKubernetes({ dir: join(dir, 'kubernetes'), controllers: false, flags: [`--authentication-config=${file}`] });
}, 1_800_000);
afterAll(async () => {
  await server?.stop();
  issuer?.closeAllConnections();
  await new Promise((resolve) => issuer?.close(resolve));
  await fs.rm(dir, { recursive: true, force: true });
});

const whoIs = async (
  claims: Record<string, string>,
): Promise<{ username: string; groups: string[]; extra: ReadonlyMap<string, string[]> }> => {
  const token = await new SignJWT({ sub: `repo:${claims['repository']}`, ...claims })
    .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
    .setIssuer(issuerUrl)
    .setAudience('kubernetes')
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(key);
  const kube = await patientKube(await server.kubeconfigWithToken('job', token));
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
  const ask = (): Promise<unknown> => kube.post('/apis/authentication.k8s.io/v1/selfsubjectreviews', body);
  // The authenticator fetches the issuer's keys after the server is ready.
  await until('the job is known', () => isDone(ask()));
  const answer = (await ask()) as {
    status: { userInfo: { username: string; groups: string[]; extra?: Record<string, string[]> } };
  };
  const { username, groups, extra = {} } = answer.status.userInfo;
  return { username, groups, extra: new Map(Object.entries(extra)) };
};

test('a job is known by repository, branch and environment', async () => {
  const user = await whoIs({ repository: 'acme/books', ref: 'refs/heads/main', environment: 'production' });
  expect(jobOf(user, prefix)).toEqual({ repository: 'acme/books', ref: 'refs/heads/main', environment: 'production' });
  expect(jobOf(user, 'other:')).toBeNull();
});

test('a job without an environment has none', async () => {
  const user = await whoIs({ repository: 'acme/books', ref: 'refs/heads/dev' });
  expect(jobOf(user, prefix)).toEqual({ repository: 'acme/books', ref: 'refs/heads/dev', environment: null });
});

test('an administrator who is no job is none', async () => {
  const kube = await patientKube(server.kubeconfig);
  const answer = await kube.post('/apis/authentication.k8s.io/v1/selfsubjectreviews', {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'SelfSubjectReview',
  });
  const { username } = (answer as { status: { userInfo: { username: string } } }).status.userInfo;
  expect(
    jobOf(
      {
        username,
        groups: [],
        extra: new Map([
          ['meshwright.dev/repository', ['a/b']],
          ['meshwright.dev/ref', ['refs/heads/main']],
        ]),
      },
      prefix,
    ),
  ).toBeNull();
});
