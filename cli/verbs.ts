/** The table of verbs: a contract that scripts, tests and docs/reference/cli.md read. Code is loaded when a verb is called. */
import type { ArgumentSpec, OptionSpec, Verb } from './command';

const dir: ArgumentSpec = { name: 'dir', summary: 'the policies, or a folder that holds `policies/` (default: here)' };
const env: OptionSpec = { flags: '--env <name>', summary: 'one environment (default: all)' };
const asOf: OptionSpec = { flags: '--as-of <day>', summary: 'the day taken for today, `2026-11-22`' };
const noCache: OptionSpec = { flags: '--no-cache', summary: 'compute everything anew' };
const config: OptionSpec = { flags: '--config <file>', summary: 'the JSON configuration file' };
const admin: readonly OptionSpec[] = [
  { flags: '--admin <url>', summary: "the control plane's admin address (default: MESHWRIGHT_ADMIN)" },
  { flags: '--token-file <file>', summary: 'the file with its token (default: MESHWRIGHT_TOKEN_FILE)' },
];
const keyFile: OptionSpec = { flags: '--key-file <file>', summary: 'the private keys, mode 0600', default: 'keys.json' };
const trustFile: OptionSpec = { flags: '--trust <file>', summary: 'the trust root: public keys only', default: 'trust.json' };
const target: readonly OptionSpec[] = [
  ...admin,
  {
    flags: '--state-dir <dir>',
    summary: 'where Pulumi keeps its state (default: .meshwright/pulumi; of a cluster, .meshwright/pulumi-kubernetes)',
  },
  { flags: '--stack <name>', summary: 'the Pulumi stack (default: the environment)' },
  { flags: '--trust <file>', summary: 'verify the whole bundle against this trust root first' },
];

const cluster: OptionSpec = {
  flags: '--kubeconfig <file>',
  summary: 'deploy to the cluster of this kubeconfig instead of a control plane',
};

export const verbs: readonly Verb[] = [
  {
    name: 'init',
    summary: 'a new policy repository: modules and a test',
    arguments: [{ name: 'dir', summary: 'the folder to make (default: here)' }],
    examples: ['meshwright init mesh && cd mesh && meshwright check'],
    load: () => import('./commands/init.js'),
  },
  {
    name: 'check',
    summary: 'type-check, evaluate and analyse the policies',
    arguments: [dir],
    options: [
      { flags: '--format <format>', summary: 'how findings are printed', choices: ['text', 'json', 'sarif', 'github'], default: 'text' },
      env,
      asOf,
      { flags: '--stop-after <stage>', summary: 'run the stages up to this one' },
      { flags: '--timings', summary: 'print what each stage took' },
      noCache,
    ],
    examples: ['meshwright check policies', 'meshwright check --format sarif > findings.sarif'],
    load: () => import('./commands/check.js'),
  },
  {
    name: 'build',
    summary: 'compile the policies into the bundle of one environment, unsigned',
    arguments: [dir],
    options: [
      { flags: '--env <name>', summary: 'the environment (needed unless there is one only)' },
      { flags: '--out <dir>', summary: 'where the bundle goes', default: 'bundle' },
      { flags: '--commit <rev>', summary: 'compile this commit instead of the working tree' },
      asOf,
      { flags: '--not-after <time>', summary: 'nobody accepts the release as new after it, RFC 3339 (default: 24 hours from now)' },
      { flags: '--signer <socket>', summary: 'sign with the signer that listens there' },
      { flags: '--repository <url>', summary: 'where the policies come from, for the release (default: local)' },
      { flags: '--admin <url>', summary: 'the control plane whose live release this one follows (default: it is the first)' },
      { flags: '--token-file <file>', summary: 'the file with its token (default: MESHWRIGHT_TOKEN_FILE)' },
      noCache,
    ],
    examples: [
      'meshwright build policies --env prod --out bundle',
      'meshwright build policies --env prod --signer signer.sock --admin http://127.0.0.1:9901 --token-file token',
    ],
    load: () => import('./commands/build.js'),
  },
  {
    name: 'ask',
    summary: 'what the mesh does with a request, and the line that decides it',
    arguments: [dir],
    options: [
      {
        flags: '--from <workload>',
        summary: 'the caller, `bookinfo/productpage` or `productpage`; for a request from outside, the gateway',
      },
      {
        flags: '--to <port>',
        summary:
          'the service port, `reviews.bookinfo:9080`, `bookinfo/reviews.web` or `reviews:9080`; or an address outside, `192.0.2.7:5432`',
      },
      { flags: '--listener <name>', summary: "from outside: the gateway's listener (default: its only one)" },
      {
        flags: '--host <name>',
        summary: 'from outside: the host asked for; to a TLS port, and at a gateway between networks: the server name',
      },
      { flags: '--address <ip>', summary: 'from outside: the address that the connection comes from (default: one that no rule names)' },
      {
        flags: '--certificate <valid|invalid>',
        summary: 'from outside: what the client shows, where the listener asks (default: nothing)',
      },
      { flags: '--method <method>', summary: 'the method; `POST` to a gRPC port, else `GET`, if not said' },
      { flags: '--path <path>', summary: 'path and query as on the wire', default: '/' },
      { flags: '--header <k=v>', summary: 'a header; may be repeated', many: true },
      { flags: '--claims <json>', summary: 'what the token of the end user says, with its `iss`; or `invalid`' },
      { flags: '--inbound', summary: "only the second hop: the request comes straight to the destination with the caller's identity" },
      env,
      asOf,
      noCache,
    ],
    examples: [
      'meshwright ask policies --from productpage --to reviews:9080 --path /reviews/7',
      'meshwright ask policies --from edge --host shop.acme.example --path /productpage',
    ],
    load: () => import('./commands/ask.js'),
  },
  {
    name: 'why',
    summary: 'the policy lines that a rule, object or proxy resource comes from',
    arguments: [
      {
        name: 'name',
        summary:
          'a rule id, `ProxyConfig/<ns>/<name>`, `AdmissionRules/meshwright/rules`, `<ns>/<svc>.<port>/default-deny`, or the name of a listener, route or cluster',
        required: true,
      },
      dir,
    ],
    options: [env, { flags: '--bundle <dir>', summary: "answer from a bundle's source map instead of compiling" }, noCache],
    examples: ['meshwright why books/pageReadsReviews policies', 'meshwright why bookinfo/ratings.web/default-deny policies'],
    load: () => import('./commands/why.js'),
  },
  {
    name: 'explain',
    summary: 'the page of a diagnostic: what it means, an example, the repair',
    arguments: [{ name: 'code', summary: '`MW4002`, or its slug; without it, the list' }],
    examples: ['meshwright explain MW4002'],
    load: () => import('./commands/explain.js'),
  },
  {
    name: 'test',
    summary: 'run the policy tests',
    arguments: [dir],
    options: [
      env,
      { flags: '--filter <text>', summary: 'only tests with this in their name or file' },
      { flags: '--watch', summary: 'run again after each change, until Ctrl-C' },
      { flags: '--coverage', summary: 'print the rules, routes and guarantees that no test decided' },
      { flags: '--coverage-min <percent>', summary: 'fail when the tests decide less than this' },
      { flags: '--junit <file>', summary: 'also write a JUnit report' },
      asOf,
      noCache,
    ],
    examples: [
      'meshwright test policies',
      'meshwright test policies --watch',
      'meshwright test policies --coverage-min 100 --junit junit.xml',
    ],
    load: () => import('./commands/test.js'),
  },
  {
    name: 'diff',
    summary: 'who gains or loses what between two commits, bundles or directories',
    arguments: [
      { name: 'before', summary: 'a directory or a commit', required: true },
      { name: 'after', summary: 'a directory or a commit (default: the working tree)' },
      dir,
    ],
    options: [
      { flags: '--format <format>', summary: 'how it is printed', choices: ['text', 'json', 'markdown'], default: 'text' },
      env,
      asOf,
      noCache,
    ],
    examples: ['meshwright diff main', 'meshwright diff HEAD~1 HEAD --format markdown'],
    load: () => import('./commands/diff.js'),
  },
  {
    name: 'graph',
    summary: 'the declared topology: who may call what',
    arguments: [dir],
    options: [
      { flags: '--format <format>', summary: 'how it is printed', choices: ['text', 'json', 'dot'], default: 'text' },
      env,
      noCache,
    ],
    examples: ['meshwright graph policies --env prod --format dot | dot -Tsvg > mesh.svg'],
    load: () => import('./commands/graph.js'),
  },
  {
    name: 'verify',
    summary: 'check the signatures and digests of a bundle',
    arguments: [{ name: 'bundle', summary: "the bundle's folder", required: true }],
    options: [
      { flags: '--trust <file>', summary: 'the trust root' },
      { flags: '--env <name>', summary: "the environment it has to be for (default: the release's)" },
    ],
    examples: ['meshwright verify bundle --trust trust.json'],
    load: () => import('./commands/verify.js'),
  },
  {
    name: 'keys generate',
    summary: 'signing keys, live and for dry runs, and the trust root that knows them',
    options: [{ flags: '--env <name>', summary: 'an environment to sign for; may be repeated', many: true }, keyFile, trustFile],
    examples: ['meshwright keys generate --env prod --key-file keys.json --trust trust.json'],
    load: () => import('./commands/keys-generate.js'),
  },
  {
    name: 'keys list',
    summary: 'the keys a trust root accepts, by environment',
    options: [trustFile],
    load: () => import('./commands/keys-list.js'),
  },
  {
    name: 'keys rotate',
    summary: 'a new key beside the old; `--retire` ends the overlap',
    options: [
      { flags: '--env <name>', summary: 'the environment' },
      { flags: '--preview', summary: 'the key for dry runs instead of the live one' },
      { flags: '--retire <kid>', summary: 'remove this key instead' },
      keyFile,
      trustFile,
    ],
    load: () => import('./commands/keys-rotate.js'),
  },
  {
    name: 'preview',
    summary: "the semantic diff, and Pulumi's preview below it",
    arguments: [{ name: 'bundle', summary: "a signed bundle's folder", required: true }],
    options: [...target, cluster, { flags: '--since <commit>', summary: 'print who gains or loses what since this commit' }],
    load: () => import('./commands/preview.js'),
  },
  {
    name: 'deploy',
    summary: 'roll a signed bundle out with Pulumi and wait for its convergence',
    arguments: [{ name: 'bundle', summary: "a signed bundle's folder", required: true }],
    options: [
      ...target,
      cluster,
      { flags: '--deployer-token-file <file>', summary: "the OIDC token of the CI job that deploys, for a cluster's admission" },
    ],
    load: () => import('./commands/deploy.js'),
  },
  {
    name: 'status',
    summary: 'the roll-out and how far each proxy is',
    options: [...admin, { flags: '--wait', summary: 'wait until it has converged or failed' }],
    load: () => import('./commands/status.js'),
  },
  {
    name: 'rollout promote',
    summary: 'end the hold and go on to the next wave',
    options: admin,
    load: () => import('./commands/rollout-promote.js'),
  },
  {
    name: 'rollout abort',
    summary: 'return to stable',
    options: [...admin, { flags: '--reason <text>', summary: 'why; shown in the status' }],
    load: () => import('./commands/rollout-abort.js'),
  },
  {
    name: 'rollout rollback',
    summary: 'a new, higher release of earlier objects: those the GitOps loop kept, or those of a bundle',
    arguments: [{ name: 'bundle', summary: 'an earlier signed bundle; without it the loop at --admin does it, with its own token' }],
    options: [
      ...target,
      { flags: '--signer <socket>', summary: 'with a bundle: the signer that signs the new release' },
      { flags: '--to <generation>', summary: 'without a bundle: the release to go back to (default: what was live before)' },
      { flags: '--reason <text>', summary: 'without a bundle: why; shown in the status' },
    ],
    load: () => import('./commands/rollout-rollback.js'),
  },
  {
    name: 'rollout retry',
    summary: 'let the GitOps loop try a held commit again, or look at the branch now',
    arguments: [{ name: 'commit', summary: 'the whole id of a commit that was refused, aborted or rolled back' }],
    options: admin,
    load: () => import('./commands/rollout-retry.js'),
  },
  {
    name: 'proxy status',
    summary: 'what each proxy was sent, took and made active',
    arguments: [{ name: 'instance', summary: 'one proxy (default: all)' }],
    options: admin,
    load: () => import('./commands/proxy-status.js'),
  },
  {
    name: 'proxy config',
    summary: 'what one proxy is to have, bound',
    arguments: [{ name: 'instance', summary: 'the proxy', required: true }],
    options: admin,
    load: () => import('./commands/proxy-config.js'),
  },
  {
    name: 'proxy diff',
    summary: 'how the configurations of two proxies differ',
    arguments: [
      { name: 'instance', summary: 'one proxy', required: true },
      { name: 'other', summary: 'another', required: true },
    ],
    options: admin,
    load: () => import('./commands/proxy-diff.js'),
  },
  {
    name: 'doctor',
    summary: 'can the installation in a cluster lock itself out; are its certificates, versions and rights healthy',
    options: [
      { flags: '--kubeconfig <file>', summary: 'the cluster, by its current context (default: KUBECONFIG)' },
      { flags: '--chart-values <file>', summary: 'examine what these values of the chart would install, without a cluster' },
    ],
    examples: ['meshwright doctor --kubeconfig ~/.kube/config', 'meshwright doctor --chart-values values.yaml'],
    load: () => import('./commands/doctor.js'),
  },
  {
    name: 'serve control-plane',
    summary: 'serves configuration to the proxies (ADS), and the admin API',
    options: [config],
    load: () => import('./commands/serve-control-plane.js'),
  },
  { name: 'serve ca', summary: "issues the workloads' certificates", options: [config], load: () => import('./commands/serve-ca.js') },
  {
    name: 'serve webhook',
    summary: 'lets nothing into the Kubernetes API that is not signed or breaks a rule',
    options: [config],
    load: () => import('./commands/serve-webhook.js'),
  },
  {
    name: 'serve gitops',
    summary: 'follows a branch: compile, diff, sign, preview, roll out',
    options: [config],
    load: () => import('./commands/serve-gitops.js'),
  },
  {
    name: 'serve signer',
    summary: 'holds the signing key, on a unix socket',
    options: [config],
    load: () => import('./commands/serve-signer.js'),
  },
  {
    name: 'agent',
    summary: 'runs the Envoy beside one workload: identity, bootstrap, health, drain',
    options: [
      config,
      { flags: '--kubernetes', summary: 'in a pod: everything comes from the environment that the webhook gave the sidecar' },
    ],
    load: () => import('./commands/agent.js'),
  },
  {
    name: 'capture',
    summary: 'sends the connections of this network namespace through its proxy',
    options: [
      { flags: '--uid <id>', summary: 'the user that the proxy runs as: its own connections go as they are' },
      { flags: '--gid <id>', summary: 'the same by group' },
      { flags: '--inbound <port>', summary: 'where the proxy takes what arrives; default 15006' },
      { flags: '--outbound <port>', summary: 'where the proxy takes what leaves; default 15005' },
      {
        flags: '--open-inbound <port>',
        summary: 'a port that is reached without the proxy, such as 22; 15021 (probes of the agent) always is',
        many: true,
      },
      { flags: '--name-server <address>', summary: 'asked without the proxy; default: those of /etc/resolv.conf', many: true },
      { flags: '--refuse-udp', summary: 'refuses datagrams to others than the name servers' },
      { flags: '--nft <program>', summary: 'default: the one on PATH, or in /usr/sbin' },
      { flags: '--print', summary: 'the ruleset, without applying it' },
      { flags: '--remove', summary: 'takes capture away' },
    ],
    examples: ['meshwright capture --uid 15021 --print'],
    load: () => import('./commands/capture.js'),
  },
  {
    name: 'up',
    summary: 'a whole mesh on this machine: control plane, CA, signer, GitOps loop and proxies',
    options: [config],
    examples: ['meshwright up --config up.json'],
    load: () => import('./commands/up.js'),
  },
];
