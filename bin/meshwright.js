#!/usr/bin/env node
// Written for any Node that can parse it: it looks for one that can run the product, and says one clear line where there is none.
'use strict';
const fs = require('node:fs');
const path = require('node:path');

const root = path.resolve(__dirname, '..');
const main = path.join(root, 'dist', 'cli', 'main.js');
const [major, minor] = process.versions.node.split('.').map(Number);
const newEnough = major > 22 || (major === 22 && minor >= 19);

/** The Node that npm installed beside us, as a dependency of this package or of the one that uses it. */
function installedNode() {
  for (let folder = root; ; folder = path.dirname(folder)) {
    const candidate = path.join(folder, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
    if (fs.existsSync(candidate)) return candidate;
    if (path.dirname(folder) === folder) return null;
  }
}

function fail(line) {
  process.stderr.write(`meshwright: ${line}\n`);
  process.exit(2);
}

if (!fs.existsSync(main)) fail(`not built yet: run \`npm run build\` in ${root}`);
if (newEnough) {
  const { enableCompileCache } = require('node:module');
  if (enableCompileCache) enableCompileCache();
  require(main).main(process.argv.slice(2));
} else {
  const node = installedNode();
  if (!node)
    fail(`needs Node 22.19 or later and this is ${process.versions.node}: install it, or run \`npm ci\` in ${root}, which brings one`);
  const child = require('node:child_process').spawn(node, [__filename, ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(`cannot start ${node}: ${error.message}`));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code === null ? 2 : code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
