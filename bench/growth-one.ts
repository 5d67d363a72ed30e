/** One size of `bench:growth`, in a process of its own so that its peak of memory is its own: `node growth-one.js <services>`; prints one JSON line. */
import { objectName, type MeshObject, type ProxyConfig } from '../core/bundle/objects';
import { canonicalJson } from '../core/lib/json';
import { sourceTree } from '../core/source';
import { compile, type StageName } from '../compiler/pipeline';
import { fanOutOf } from './growth-mesh';
import { median } from './median';
import { generatePolicies } from '../test/kit/policy-generator';

export interface GrowthPoint {
  readonly services: number;
  /** Milliseconds. `total` is the whole compilation, two environments; the type checker is a process of its own and runs beside evaluate. */
  readonly ms: { readonly [stage in StageName | 'total']?: number };
  readonly peakMiB: number;
  readonly objects: number;
  /** Of one environment: what a proxy is sent, its own object and those it names. */
  readonly bytesPerProxy: { readonly median: number; readonly largest: number };
}

const bytesOf = (object: MeshObject): number => Buffer.byteLength(canonicalJson(object));

async function main(services: number): Promise<void> {
  const tree = sourceTree(generatePolicies(services, fanOutOf));
  const begun = performance.now();
  const compiled = await compile(tree, { asOf: '2026-11-22' });
  const total = performance.now() - begun;
  const errors = compiled.diagnostics.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) throw new Error(`the generated mesh has errors: ${errors[0]?.code} ${errors[0]?.message}`);
  const peakMiB = Math.round(process.resourceUsage().maxRSS / 1024);
  const [objects = []]: Iterable<readonly MeshObject[]> = compiled.objects.values();
  const sizes = new Map(objects.map((object) => [String(objectName(object)), bytesOf(object)]));
  const held = objects
    .filter((object): object is ProxyConfig => object.kind === 'ProxyConfig')
    .map((proxy) =>
      proxy.spec.outbound.services.reduce((sum, name) => sum + (sizes.get(`ServiceConfig/${name}`) ?? Number.NaN), bytesOf(proxy)),
    )
    .sort((a, b) => a - b);
  const point: GrowthPoint = {
    services,
    ms: { ...compiled.timings, total },
    peakMiB,
    objects: objects.length,
    bytesPerProxy: { median: median(held), largest: held.at(-1) ?? Number.NaN },
  };
  process.stdout.write(`${JSON.stringify(point)}\n`);
}

main(Number(process.argv[2])).catch((error: unknown) => {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
