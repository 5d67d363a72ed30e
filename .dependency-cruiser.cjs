/**
 * Who may import whom (ARCHITECTURE.md, "Invariants"). Each direction is a rule with a name, and the `tsc -b` projects are the second lock.
 * test/architecture breaks each rule on purpose and demands that it is the one that says so.
 */
const stage = '(?:source|typecheck|evaluate|lower|analyse|diff|sign|emit/[^/]+)';
const not = (paths) => ({ pathNot: paths });

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'core-imports-only-core',
      comment: 'the definition of the mesh has no I/O and no dependants among its imports',
      severity: 'error',
      from: { path: '^core/', pathNot: '\\.test\\.ts$' },
      to: { pathNot: ['^core/', '(^|/)node_modules/(@bufbuild/protobuf|jose|ajv|re2js)/', '^(node:)?(crypto|zlib)$'] },
    },
    {
      name: 'core-lib-is-the-bottom',
      severity: 'error',
      from: { path: '^core/lib/', pathNot: '\\.test\\.ts$' },
      to: { path: '^core/', pathNot: '^core/lib/' },
    },
    {
      name: 'core-semantics-knows-no-bundle',
      comment: 'lib < diagnostics, mesh < ir < semantics, bundle',
      severity: 'error',
      from: { path: '^core/(ir|mesh|semantics|diagnostics)/', pathNot: '\\.test\\.ts$' },
      to: { path: '^core/(bundle|wire|rollout)/' },
    },
    {
      name: 'core-ir-knows-no-semantics',
      severity: 'error',
      from: { path: '^core/(ir|mesh)/', pathNot: '\\.test\\.ts$' },
      to: { path: '^core/semantics/' },
    },
    {
      name: 'stages-meet-in-core',
      comment: 'a compiler stage never imports another stage: they meet in the IR and in compiler/pipeline.ts',
      severity: 'error',
      from: { path: `^compiler/(${stage})/`, pathNot: '\\.test\\.ts$' },
      to: { path: `^compiler/${stage}/`, pathNot: '^compiler/$1/' },
    },
    {
      name: 'stages-know-no-pipeline',
      severity: 'error',
      from: { path: `^compiler/${stage}/`, pathNot: '\\.test\\.ts$' },
      to: { path: '^compiler/[^/]+\\.ts$' },
    },
    {
      name: 'sdk-is-pure',
      comment: 'it runs in the sandbox: nothing but itself and types of core',
      severity: 'error',
      from: { path: '^sdk/', pathNot: '\\.test\\.ts$' },
      to: { pathNot: '^sdk/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'servers-never-reach-the-compiler',
      comment: 'what was reviewed is what was signed is what is served: neither webhook nor control plane ever runs the compiler',
      severity: 'error',
      from: { path: '^(runtime-proxy|webhook)/', pathNot: '\\.test\\.ts$' },
      to: {
        path: ['^(compiler|gitops|deploy|sdk|cli|scripts|web)/', '(^|/)node_modules/(typescript|@typescript|esbuild|quickjs-emscripten)'],
      },
    },
    {
      name: 'io-only-at-the-edges',
      comment: 'files, sockets and processes belong to platform, servers, the edges of the compiler, cli and scripts',
      severity: 'error',
      from: {
        path: '^(core|sdk|compiler|deploy|gitops)/',
        pathNot: ['\\.test\\.ts$', '^compiler/(sign|source|typecheck|evaluate)/', '^compiler/cache\\.ts$', '^deploy/', '^gitops/'],
      },
      to: { path: '^(node:)?(fs|fs/promises|net|tls|http|http2|https|dgram|dns|child_process|cluster|worker_threads)$' },
    },
    {
      name: 'pulumi-only-in-deploy',
      severity: 'error',
      from: not(['^deploy/', '\\.test\\.ts$', '^node_modules/', '^test/']),
      to: { path: '(^|/)node_modules/@pulumi/' },
    },
    {
      name: 'kubernetes-client-only-in-platform',
      comment: 'everybody else speaks to the Kubernetes API through platform/kube',
      severity: 'error',
      from: not(['^platform/kube/', '\\.test\\.ts$', '^node_modules/', '^test/']),
      to: { path: '(^|/)node_modules/@kubernetes/' },
    },
    {
      name: 'express-only-in-http-servers',
      severity: 'error',
      from: not(['^gitops/receiver/', '^webhook/server/', '^web/api/', '\\.test\\.ts$', '^node_modules/', '^test/']),
      to: { path: '(^|/)node_modules/express/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'grpc-only-in-servers',
      severity: 'error',
      from: not(['^runtime-proxy/', '^deploy/provider/', '\\.test\\.ts$', '^node_modules/', '^test/']),
      to: { path: '(^|/)node_modules/@grpc/' },
    },
    {
      name: 'policies-import-the-sdk-only',
      severity: 'error',
      from: { path: '^(policies|examples)/' },
      to: { pathNot: ['^(policies|examples)/', '^sdk/', '^meshwright/(policy|testing|lib)$'] },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: { pathNot: '^node_modules/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'product-imports-no-tests',
      severity: 'error',
      from: { pathNot: ['\\.test\\.ts$', '^test/', '^bench/', '^scripts/'] },
      to: { path: ['\\.test\\.ts$', '^test/'] },
    },
    {
      name: 'product-imports-no-scripts',
      severity: 'error',
      from: { path: '^(core|platform|sdk|compiler|runtime-proxy|webhook|deploy|gitops|web|cli)/' },
      to: { path: '^(scripts|bench)/' },
    },
    {
      name: 'nothing-imports-the-cli',
      severity: 'error',
      from: { pathNot: ['^cli/', '^scripts/', '^test/', '\\.test\\.ts$'] },
      to: { path: '^cli/' },
    },
    {
      name: 'no-dev-dependency-in-the-product',
      severity: 'error',
      from: { path: '^(core|platform|sdk|compiler|runtime-proxy|webhook|deploy|gitops|web|cli)/', pathNot: ['\\.test\\.ts$'] },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'nothing-unresolved',
      severity: 'error',
      from: { pathNot: ['^policies/', '^examples/', '^docs/'] },
      to: { couldNotResolve: true, pathNot: '^meshwright/|^#' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: ['^dist/', '\\.d\\.ts$', '^core/wire/gen/'] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default'],
      extensions: ['.ts', '.js', '.json', '.d.ts'],
    },
  },
};
