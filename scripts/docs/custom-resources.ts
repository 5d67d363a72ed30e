/** docs/reference/custom-resources.md, from what the custom resource definitions are generated from. */
import { plurals } from '../../core/bundle/custom-resource';
import { apiVersion } from '../../core/bundle/objects';
import type { CustomResource } from '../crds/definitions';
import type { Structural } from '../crds/structural';

const intro = `# Custom resources

Generated from \`core/bundle/stored.ts\`. Group and version \`${apiVersion}\`; the definitions are in \`deploy/crds\`, and the Helm chart and the Pulumi component bring them.
All are namespaced and of category \`meshwright\`: \`kubectl get meshwright -A\`. Nobody writes them by hand: \`meshwright deploy\` does, and the webhook admits only what is signed.

- ServiceConfig, ProxyConfig and AdmissionRules are immutable and named by their content: \`<name>.<first 12 digits of the digest>\`. Only what a Release names is served.
- Members that would be null or an empty list are absent, so nothing on the way has a reason to rewrite them; an unknown member is refused, or dropped where a client does not ask for strict validation.
- Lists and maps have one owner (\`atomic\`); Envoy's messages are kept whole, as they are.
- An object above 1,000,000 bytes is in \`packed\` in place of \`spec\`: piece 0 under its own name, the others with \`.part-<i>\` behind, each with the same \`proof\`, whose one signature covers all of them.
- A Release above that has its sets and steps in \`spec.packed\`.
`;

const conditions = `### Conditions

| type | True means |
|---|---|
| \`Accepted\` | the release verified and is in force |
| \`Converged\` | every proxy that it concerns is active on it |
| \`Aborted\` | everything is back at the stable set |

Wait for \`status.converged\` to be \`proof.digest\`: \`kubectl -n meshwright wait release/prod --for=jsonpath='{.status.converged}'=<digest>\`. A condition alone may still be that of the release before.
`;

export function customResourceReference(
  resources: readonly CustomResource[],
  schemas: ReadonlyMap<CustomResource['kind'], Structural>,
): string {
  const sections = resources.flatMap((resource) => section(resource, schemas.get(resource.kind) ?? { type: 'object' }));
  return [intro, ...sections].join('\n');
}

function section(resource: CustomResource, schema: Structural): readonly string[] {
  return [
    `## ${resource.kind}`,
    '',
    schema.description ?? '',
    '',
    `\`${plurals[resource.kind]}.meshwright.dev\`, short ${resource.shortNames.map(code).join(', ')}.`,
    '',
    '| column of kubectl | from | |',
    '|---|---|---|',
    ...resource.columns.map(
      (column) =>
        `| ${column.name.toUpperCase()} | \`${column.jsonPath}\` | ${column.description}${column.priority === 1 ? ' (with `-o wide`)' : ''} |`,
    ),
    '',
    '| member | type | needed | |',
    '|---|---|---|---|',
    ...rows(schema, ''),
    '',
    'Refused by the API server itself, whether or not the webhook answers:',
    '',
    ...rules(schema, '').map(([path, message]) => `- ${path === '' ? '' : `\`${path}\`: `}${message}`),
    '',
    ...(resource.kind === 'Release' ? [conditions] : []),
  ];
}

function rows(schema: Structural, prefix: string): readonly string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, member]) => {
    if (prefix === '' && name === 'metadata') return [];
    const path = `${prefix}${name}`;
    const needed = schema.required?.includes(name) ? 'yes' : '';
    return [`| \`${path}\` | ${typeOf(member)} | ${needed} | ${about(member)} |`, ...inside(member, path)];
  });
}

function inside(schema: Structural, path: string): readonly string[] {
  if (schema.items) return inside(schema.items, `${path}[]`);
  return rows(schema, `${path}.`);
}

function typeOf(schema: Structural): string {
  if (schema.items) return `list of ${typeOf(schema.items)}`;
  if (schema['x-kubernetes-preserve-unknown-fields']) return "Envoy's message";
  if (schema.additionalProperties) return `map to ${typeOf(schema.additionalProperties)}`;
  return schema.format ?? schema.type;
}

function about(schema: Structural): string {
  const { minimum, maximum, maxLength, maxItems, enum: words } = schema;
  const from = minimum === undefined ? '' : `${schema.exclusiveMinimum ? 'above' : 'from'} ${minimum}`;
  const limits = [
    ...(words ? [words.map(code).join(', ')] : []),
    ...(from === '' && maximum === undefined ? [] : [`${from}${maximum === undefined ? '' : ` to ${maximum}`}`.trim()]),
    ...(maxLength === undefined ? [] : [`at most ${maxLength} characters`]),
    ...(maxItems === undefined ? [] : [`at most ${maxItems}`]),
  ];
  const text = [schema.description ?? '', limits.length === 0 ? '' : `(${limits.join('; ')})`].filter((part) => part !== '').join(' ');
  return text.replaceAll('\n', ' ').replaceAll('|', '\\|');
}

function rules(schema: Structural, path: string): readonly (readonly [string, string])[] {
  const own = (schema['x-kubernetes-validations'] ?? []).map(({ message }) => [path, message] as const);
  const below = Object.entries(schema.properties ?? {}).flatMap(([name, member]) => rules(member, path === '' ? name : `${path}.${name}`));
  return [...own, ...below, ...(schema.items ? rules(schema.items, `${path}[]`) : [])];
}

const code = (text: string): string => `\`${text}\``;
