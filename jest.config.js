/** Source is run as it is: swc strips the types, `tsc -b` checks them. Suites that start the product run its compiled form in dist/. */
module.exports = {
  testEnvironment: 'node',
  // A limit against hanging, not a measurement: the machine may be busy, and one test waits for several things.
  testTimeout: 600_000,
  roots: ['core', 'platform', 'sdk', 'compiler', 'runtime-proxy', 'deploy', 'gitops', 'webhook', 'web', 'cli', 'test'].map(
    (folder) => `<rootDir>/${folder}`,
  ),
  testMatch: ['**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/', '\\.policy\\.test\\.ts$'],
  transform: {
    '\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'commonjs' }, sourceMaps: 'inline' },
    ],
    // Some packages ship ES modules only; Node requires them as they are, jest's module registry only behind a flag.
    '/node_modules/(jose|@kubernetes/client-node|openid-client|oauth4webapi|socks-proxy-agent|agent-base)/(?!.*/node_modules/).*\\.js$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'ecmascript' }, target: 'es2023' }, module: { type: 'commonjs' } },
    ],
  },
  transformIgnorePatterns: ['/node_modules/(?!(jose|@kubernetes/client-node|openid-client|oauth4webapi|socks-proxy-agent|agent-base)/)'],
  // A dynamic import names the compiled file (`./x.js`), as Node demands; from the source it is `./x.ts`.
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
};
