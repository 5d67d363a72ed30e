/** Colour is never the only sign: each phase is also written out. White text stands on the same grounds, at 4.5 : 1 or more, by day and by night. */
export const style = `
:root { color-scheme: light dark; --ink: #1b1f24; --dim: #59636e; --line: #d1d9e0; --ground: #ffffff; --good: #1a7f37; --busy: #9a6700; --bad: #cf222e; --off: #818b98; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --dim: #9198a1; --line: #3d444d; --ground: #0d1117; --good: #3fb950; --busy: #d29922; --bad: #f85149; --off: #656c76; } }
body { margin: 0 auto; max-width: 70rem; padding: 1rem 1.5rem 4rem; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground); }
header { display: flex; gap: 1.5rem; align-items: baseline; border-bottom: 1px solid var(--line); }
h1 { font-size: 1.4rem; } h2 { font-size: 1.05rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; } th { text-align: left; color: var(--dim); font-weight: 500; } td, th { padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
.good { color: var(--good); } .busy { color: var(--busy); } .bad { color: var(--bad); } .off { color: var(--off); }
.bar { display: flex; height: 1.1rem; border-radius: 3px; overflow: hidden; background: var(--line); max-width: 40rem; }
.bar span { font-size: .7rem; line-height: 1.1rem; padding-left: .3rem; color: #fff; white-space: nowrap; overflow: hidden; border-right: 1px solid var(--ground); min-width: 1px; box-sizing: border-box; background: #57606a; }
.bar .good { background: #1a7f37; } .bar .busy { background: #8a5d00; } .bar .bad { background: #cf222e; } .bar .off { background: #59636e; }
tbody td:nth-child(-n+6) { white-space: nowrap; }
#commits { padding-left: 2rem; } #commits li { margin-bottom: .9rem; } code { font-family: ui-monospace, monospace; font-size: .9em; } .dim { color: var(--dim); }
`;
