/** Values as somebody wrote them become InstallValues: defaults filled in, every problem named at once. */
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import type { Diagnostic, Outcome } from '../../core/diagnostics/diagnostic';
import { install } from '../../core/diagnostics/install';
import { parseTrust } from '../../core/bundle/trust';
import { canonicalNetwork } from '../../core/lib/network';
import { suggest } from '../../core/lib/suggest';
import schema from './values.schema.json';
import { defaultValues, type InstallValues } from './values';

let compiled: ValidateFunction<InstallValues> | undefined;

/**
 * Checks values against the schema that the chart carries too, and what a schema cannot say. Members that are absent take their defaults, as helm
 * does it: objects are merged, lists are replaced.
 */
export function checkValues(given: unknown): Outcome<InstallValues> {
  const values: unknown = merged(defaultValues, given);
  compiled ??= new Ajv({ allErrors: true, strict: false, verbose: true }).compile<InstallValues>(schema);
  if (!compiled(values)) {
    const problems = (compiled.errors ?? []).filter(({ keyword }) => keyword !== 'anyOf' && keyword !== 'oneOf').map(problemOf);
    return { diagnostics: unique(problems) };
  }
  const diagnostics = unique(meaning(values));
  return diagnostics.length > 0 ? { diagnostics } : { value: values, diagnostics };
}

function meaning(values: InstallValues): readonly Diagnostic[] {
  const found: Diagnostic[] = [];
  const bad = (field: string, reason: string): void => void found.push(install.values({ field, reason }));
  const trust = parseTrust(JSON.stringify(values.trustRoot));
  for (const { message } of trust.diagnostics) bad('trustRoot', `is not a trust root: ${message}`);
  if (
    trust.value !== undefined &&
    Object.keys(trust.value.environments).length > 0 &&
    !Object.hasOwn(trust.value.environments, values.environment)
  )
    bad('trustRoot', `knows no environment \`${values.environment}\``);
  if (values.deployers.length === 0) bad('deployers', 'names nobody, so that no release could ever be let in');
  if ((values.webhook.settings.issuers ?? []).length === 0 && values.deployers.some(({ kind }) => kind === 'github'))
    bad('webhook.settings.issuers', 'is missing, and a deployer of kind `github` proves itself by a token of an issuer');
  if (!values.webhook.exemptNamespaces.includes('kube-system'))
    bad('webhook.exemptNamespaces', 'leaves out `kube-system`: without it a cluster whose webhook is down cannot start its own parts');
  for (const [index, network] of values.issuerKeys.networks.entries())
    if (canonicalNetwork(network) === null) bad(`issuerKeys.networks.${index}`, `is no network: \`${network}\``);
  return found;
}

function problemOf({ instancePath, message = 'is wrong', params, keyword, parentSchema }: ErrorObject): Diagnostic {
  const extra: unknown = Reflect.get(params, 'additionalProperty');
  const field = instancePath.slice(1).replaceAll('/', '.');
  if (keyword === 'additionalProperties' && typeof extra === 'string') {
    const near = suggest(extra, Object.keys(Object(parentSchema?.['properties'])));
    const reason = `is not known${near === undefined ? '' : `: did you mean \`${near}\`?`}`;
    return install.values({ field: field === '' ? extra : `${field}.${extra}`, reason });
  }
  const allowed: unknown = Reflect.get(params, 'allowedValues');
  return install.values({
    field: field === '' ? 'the values' : field,
    reason: Array.isArray(allowed) ? `is none of ${allowed.join(', ')}` : message,
  });
}

const unique = (diagnostics: readonly Diagnostic[]): readonly Diagnostic[] => [
  ...new Map(diagnostics.map((one) => [one.message, one])).values(),
];

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function merged(base: unknown, over: unknown): unknown {
  if (over === undefined) return base;
  if (!isRecord(base) || !isRecord(over)) return over;
  const names = [...new Set([...Object.keys(base), ...Object.keys(over)])];
  return Object.fromEntries(names.map((name) => [name, merged(base[name], over[name])]));
}
