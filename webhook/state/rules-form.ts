/**
 * The form of AdmissionRules. They are signed, so nobody forged them; but a newer compiler may know a word that this webhook does not, and a rule
 * that is half understood is a hole: every member must be a known one.
 */
import type { AdmissionRulesSpec } from '../../core/bundle/admission-rules';
import { isFields, memberOf, type JsonFields } from '../review/json';
import { productNames } from '../admit/rules-index';

type Check = (value: unknown, at: string) => void;

const fail = (at: string, why: string): never => {
  throw new Error(`\`${at}\` ${why}; run the webhook of the release that the compiler belongs to`);
};
const text: Check = (value, at) => {
  if (typeof value !== 'string') fail(at, 'is not a text');
};
const count: Check = (value, at) => {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) fail(at, 'is not a whole number');
};
const flag: Check = (value, at) => {
  if (typeof value !== 'boolean') fail(at, 'is neither true nor false');
};
const oneOf =
  (...words: readonly string[]): Check =>
  (value, at) => {
    if (typeof value !== 'string' || !words.includes(value)) fail(at, `is none of ${words.join(', ')}`);
  };
const listOf =
  (item: Check): Check =>
  (value, at) => {
    if (!Array.isArray(value)) return fail(at, 'is not a list');
    value.forEach((entry: unknown, index) => item(entry, `${at}[${index}]`));
  };

/** Members by name; those that end with `?` may be absent. */
function record(members: Readonly<Record<string, Check>>): Check {
  const known = new Map(Object.entries(members).map(([name, check]) => [name.replace('?', ''), { check, needed: !name.endsWith('?') }]));
  return (value, at) => {
    if (!isFields(value)) return fail(at, 'is not an object');
    for (const name of Object.keys(value)) if (!known.has(name)) fail(`${at}.${name.slice(0, 80)}`, 'is not known here');
    for (const [name, { check, needed }] of known) {
      if (Object.hasOwn(value, name)) check(value[name], `${at}.${name}`);
      else if (needed) fail(`${at}.${name}`, 'is missing');
    }
  };
}

const mode = oneOf('deny', 'warn', 'audit');
const deployers: Readonly<Record<string, Check>> = {
  group: record({ kind: text, name: text }),
  user: record({ kind: text, name: text }),
  account: record({ kind: text, namespace: text, name: text }),
  github: record({ kind: text, repository: text, branch: text, 'environment?': text }),
};
export const deployerForm: Check = (value, at) => {
  const kind = memberOf(value, 'kind');
  const check = typeof kind === 'string' && Object.hasOwn(deployers, kind) ? deployers[kind] : undefined;
  if (check === undefined) return fail(`${at}.kind`, `is none of ${Object.keys(deployers).join(', ')}`);
  check(value, at);
};
const range = record({ 'min?': text, 'below?': text });
const form = record({
  environment: text,
  trustDomain: text,
  'namespaces?': listOf(text),
  'deploys?': listOf(
    record({
      id: text,
      mode,
      namespace: text,
      'workloads?': listOf(text),
      by: listOf(deployerForm),
      'images?': record({ from: listOf(text), digest: oneOf('required', 'optional') }),
      'version?': record({ 'min?': text, 'below?': text, downgrade: oneOf('deny', 'warn') }),
    }),
  ),
  'workloads?': listOf(record({ workload: text, principal: text, serviceAccount: text, 'versions?': listOf(text), injected: flag })),
  'products?': listOf(
    record({
      id: text,
      mode,
      ranges: record(Object.fromEntries(productNames.map((name) => [`${name}?`, range]))),
      'skew?': listOf(record({ of: oneOf(...productNames), behind: oneOf(...productNames), minor: count })),
    }),
  ),
});

/** The spec of an AdmissionRules object. Throws with one line that names what is not known. */
export function admissionRulesSpec(spec: JsonFields): AdmissionRulesSpec {
  form(spec, 'spec');
  return spec as unknown as AdmissionRulesSpec; // every member was looked at
}
