import type { MeshIr } from '../../core/ir/ir';
import { callableByWorkload } from '../../core/ir/edges';
import { hasErrors } from '../../core/diagnostics/diagnostic';
import type { Run } from '../command';
import { formatText, toJson } from '../findings';
import { compileSources, sourcesOf } from '../policies';

interface Edge {
  readonly from: string;
  readonly to: string;
}

/** `meshwright graph`: who may call what, by the access rules in force. */
export const run: Run = async (context, values) => {
  const { out } = context;
  const sources = await sourcesOf(context, values.text('dir'));
  const compiled = await compileSources(context, values, sources, { stopAfter: 'lower' });
  if (compiled.irs.size === 0 || hasErrors(compiled.diagnostics)) {
    out.document({ ok: false, diagnostics: toJson(compiled.diagnostics, sources.show) });
    out.line(formatText(compiled.diagnostics, { show: sources.show, style: out.style }));
    return 1;
  }
  const graphs = Object.fromEntries(
    [...compiled.irs].map(([environment, ir]) => [environment, { workloads: ir.workloads.map((one) => one.key), calls: edgesOf(ir) }]),
  );
  const format = context.json ? 'json' : values.text('format');
  out.document({ ok: true, environments: graphs });
  if (format === 'json') out.text(`${JSON.stringify({ ok: true, environments: graphs }, null, 2)}\n`);
  for (const [environment, ir] of compiled.irs) {
    if (format === 'dot') out.text(dot(environment, ir));
    if (format !== 'text') continue;
    out.line(out.style.bold(environment));
    const edges = edgesOf(ir);
    for (const { key } of ir.workloads) {
      const called = edges.filter((edge) => edge.from === key).map((edge) => edge.to);
      out.line(`  ${key}${called.length > 0 ? ` -> ${called.join(', ')}` : ''}`);
    }
  }
  return 0;
};

function edgesOf(ir: MeshIr): readonly Edge[] {
  return [...callableByWorkload(ir)].flatMap(([from, ports]) => ports.map((to) => ({ from, to })));
}

function dot(environment: string, ir: MeshIr): string {
  const quoted = (text: string): string => `"${text.replaceAll('"', '\\"')}"`;
  const nodes = ir.workloads.map(
    (one) => `  ${quoted(one.key)} [shape=${one.kind === 'gateway' || one.kind === 'east-west' ? 'house' : 'box'}];`,
  );
  const edges = edgesOf(ir).map(
    ({ from, to }) =>
      `  ${quoted(from)} -> ${quoted(to.slice(0, to.lastIndexOf('.')))} [label=${quoted(to.slice(to.lastIndexOf('.') + 1))}];`,
  );
  return `digraph ${quoted(environment)} {\n${[...nodes, ...edges].join('\n')}\n}\n`;
}
