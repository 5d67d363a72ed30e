/** The generated files of deploy/chart: what `installObjects` gives, as templates. Written by hand are NOTES.txt, README.md and .helmignore. */
import type { Placeholders } from './placeholders';
import { placeholdersFor } from './placeholders';
import { hashOf, include, jsonTemplate, yamlTemplate } from './template';
import { valuesFile } from './values-file';
import { objectsOf } from '../../deploy/install/install';
import { objectKey, type KubernetesObject } from '../../deploy/install/object';
import { defaultValues } from '../../deploy/install/values';

const generated = '# Generated from deploy/install by `npm run fix`.\n';

/** Text of each file by its path below deploy/chart. */
export function chartFiles(version: string, schema: string): ReadonlyMap<string, string> {
  const placeholders = placeholdersFor(defaultValues);
  const names = new Map<string, string>();
  const objects = objectsOf(placeholders.values, (text) => `⟦text:${text}⟧`);
  const definitions: string[] = [];
  for (const { kind, metadata, data } of objects) {
    if (kind !== 'ConfigMap' || typeof data !== 'object' || data === null) continue;
    for (const [file, text] of Object.entries(data)) {
      const name = `meshwright.${metadata.name}.${file.replace(/\.json$/, '')}`;
      names.set(String(text), name);
      definitions.push(jsonTemplate(name, String(text), placeholders));
    }
  }
  const files = new Map<string, string>();
  const groups = new Map<string, { readonly needs: readonly string[]; text: string }[]>();
  for (const object of objects) {
    const file = `templates/${fileOf(object)}.yaml`;
    const needs = switchesOf(object, placeholders);
    const inFile = groups.get(file) ?? [];
    groups.set(file, inFile);
    const last = inFile.at(-1);
    const text = documentOf(object, placeholders, names);
    if (last?.needs.join() === needs.join()) last.text += text;
    else inFile.push({ needs, text });
  }
  for (const [file, inFile] of groups) files.set(file, generated + inFile.map(conditional).join(''));
  files.set('templates/_configuration.tpl', `{{/* Generated from deploy/install by \`npm run fix\`. */}}\n${definitions.join('')}`);
  files.set('values.yaml', generated + valuesFile(defaultValues, schema));
  files.set('values.schema.json', chartSchema(schema));
  files.set('Chart.yaml', chartYaml(version));
  return files;
}

/** The switches without which the object is not there. */
const switchesOf = (object: KubernetesObject, placeholders: Placeholders): readonly string[] =>
  placeholders.switches.filter(
    (path) => !objectsOf(placeholders.without(path), () => '').some((other) => objectKey(other) === objectKey(object)),
  );

function conditional({ needs, text }: { readonly needs: readonly string[]; readonly text: string }): string {
  if (needs.length === 0) return text;
  const condition = needs.map((path) => `.Values.${path}`).join(' ');
  return `{{- if ${needs.length === 1 ? condition : `and ${condition}`} }}\n${text}{{- end }}\n`;
}

function documentOf(object: KubernetesObject, placeholders: Placeholders, names: ReadonlyMap<string, string>): string {
  // A text that is configuration is included by its name: once in its ConfigMap, once hashed.
  const named: unknown = JSON.parse(JSON.stringify(object), (_key, value: unknown) => {
    if (typeof value !== 'string') return value;
    const hashed = /^⟦text:([^]*)⟧$/.exec(value)?.[1];
    if (hashed !== undefined) return hashOf(nameOf(names, hashed));
    const name = names.get(value);
    return name === undefined ? value : include(name);
  });
  return `---${yamlTemplate(named, placeholders)}`;
}

function nameOf(names: ReadonlyMap<string, string>, text: string): string {
  const name = names.get(text);
  if (name === undefined) throw new Error('internal: a hash of something that is in no ConfigMap');
  return name;
}

function fileOf({ kind, metadata }: KubernetesObject): string {
  const component = metadata.labels?.['app.kubernetes.io/component'];
  switch (kind) {
    case 'Namespace':
      return 'namespace';
    case 'CustomResourceDefinition':
      return 'custom-resource-definitions';
    case 'NetworkPolicy':
      return 'network-policies';
    case 'ValidatingWebhookConfiguration':
    case 'MutatingWebhookConfiguration':
      return 'webhook-configurations';
    case 'ClusterRole':
    case 'ClusterRoleBinding':
    case 'Role':
    case 'RoleBinding':
      return 'roles';
    default:
      return component ?? 'shared';
  }
}

/** As the product's, but with what helm gives to the chart that is part of another one. */
function chartSchema(schema: string): string {
  const { $id: _id, properties, ...rest } = JSON.parse(schema) as { readonly $id?: string; readonly properties: object };
  return `${JSON.stringify({ $schema: 'http://json-schema.org/draft-07/schema#', ...rest, properties: { ...properties, global: { type: 'object' } } }, null, 2)}\n`;
}

const chartYaml = (version: string): string =>
  [
    generated.trimEnd(),
    'apiVersion: v2',
    'name: meshwright',
    'description: Control plane, certificate authority and admission webhook of a mesh whose policy is signed TypeScript',
    'type: application',
    `version: ${version}`,
    `appVersion: ${JSON.stringify(version)}`,
    'kubeVersion: ">=1.30.0-0"',
    '',
  ].join('\n');
