import { script } from './script';
import { style } from './style';

export interface StaticFile {
  readonly path: string;
  readonly type: string;
  readonly body: string;
}

/** Sent with each of the files: nothing but this server's own script, style and status. */
export const contentSecurityPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>meshwright</title>
<link rel="stylesheet" href="/status.css">
<script src="/status.js" defer></script>
</head>
<body>
<header><h1>meshwright</h1><p id="headline" role="status" aria-live="polite">asking</p></header>
<main>
<section aria-labelledby="rollout-title"><h2 id="rollout-title">Roll-out</h2><div id="waves"></div><p id="rollout"></p></section>
<section aria-labelledby="proxies-title"><h2 id="proxies-title">Proxies</h2>
<table><thead><tr><th>instance</th><th>workload</th><th>inbound</th><th>outbound</th><th>Envoy</th><th>responses</th><th>says</th></tr></thead><tbody id="proxies"></tbody></table></section>
<section aria-labelledby="commits-title"><h2 id="commits-title">Commits</h2>
<ol id="commits" reversed></ol></section>
</main>
</body>
</html>
`;

/** The whole status page. */
export const page: readonly StaticFile[] = [
  { path: '/', type: 'text/html; charset=utf-8', body: html },
  { path: '/status.css', type: 'text/css; charset=utf-8', body: style },
  { path: '/status.js', type: 'text/javascript; charset=utf-8', body: script },
];
