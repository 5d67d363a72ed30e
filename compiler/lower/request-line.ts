import { ir as messages } from '../../core/diagnostics/ir';
import type { Layer, PathSegment, PathTemplate, RequestClass } from '../../core/ir/ir';
import { isCanonicalPath } from '../../core/semantics/canonical';
import type { UrlDialect } from '../../core/semantics/canonical';
import { sortedBy } from '../../core/lib/order';
import type { Context, Place } from './context';

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', '*'];
const mostCharacters = 1024;
const mostSegments = 32;

/** Reads `GET /reviews/{id}`; a sentence of what is wrong otherwise. */
export function parseRequestLine(line: string, urls: UrlDialect): RequestClass | string {
  if (line.length > mostCharacters) return `it is longer than ${mostCharacters} characters`;
  const space = line.indexOf(' ');
  const method = line.slice(0, space);
  if (space < 0) return 'there is no space between method and path';
  if (!methods.includes(method)) return `\`${method}\` is no method; there are ${methods.join(', ')}`;
  const template = line.slice(space + 1);
  const path = parseTemplate(template, urls);
  return typeof path === 'string' ? path : { method, path, text: `${method} ${template}` };
}

/** Reads `books.v1.Reviews/Get`: on the wire a POST to its name (the gRPC protocol over HTTP/2, "Requests"). */
export function parseGrpcMethod(method: string): RequestClass | string {
  if (method.length > mostCharacters) return `it is longer than ${mostCharacters} characters`;
  const [, service = '', name = ''] =
    /^([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)\/([A-Za-z_][A-Za-z0-9_]*)$/.exec(method) ?? [];
  if (service === '') return 'it is no gRPC method: write package, service and method';
  const path: PathTemplate = [service, name].map((text) => ({ kind: 'literal', text }));
  return { method: 'POST', path, text: `POST /${method}` };
}

/** Reads `/reviews/{id}`; a sentence of what is wrong otherwise. */
export function parseTemplate(template: string, urls: UrlDialect): PathTemplate | string {
  if (!template.startsWith('/')) return 'the path does not start with `/`';
  if (template.includes('?')) return 'it has a query; match it with `query`';
  if (template === '/') return [];
  const texts = template.slice(1).split('/');
  if (texts.length > mostSegments) return `it has more than ${mostSegments} segments`;
  const segments: PathSegment[] = [];
  const names = new Set<string>();
  for (const [index, text] of texts.entries()) {
    const last = index === texts.length - 1;
    if (text.includes('{') || text.includes('}')) {
      const hole = /^\{([A-Za-z_][A-Za-z0-9_]*)(\.\.\.)?\}$/.exec(text);
      if (!hole?.[1]) return `\`${text}\` is not \`{name}\` or \`{name...}\`; a parameter takes a whole segment`;
      if (names.has(hole[1])) return `there are two parameters \`${hole[1]}\``;
      names.add(hole[1]);
      if (hole[2] && !last) return `\`${text}\` is not the last segment`;
      segments.push({ kind: hole[2] ? 'rest' : 'one', name: hole[1] });
    } else {
      if (text === '' && !last) return 'it has an empty segment';
      if (!isCanonicalPath(`/${text}`, urls)) return `\`/${text}\` is not in canonical form, so no request has it`;
      segments.push({ kind: 'literal', text });
    }
  }
  if (texts.at(-1) === '' && urls === 'servlet') return 'no request of a servlet port ends with `/`';
  return segments;
}

/** The classes of a list of lines, sorted by text, each once. Lines that cannot be read, or are not in the contract, are reported and left out. */
export function lowerRequests(
  context: Context,
  lines: readonly string[],
  port: { readonly key: string; readonly layer: Layer; readonly urls: UrlDialect; readonly requests: readonly RequestClass[] | null },
  at: Place,
  suggestion: (line: string, known: readonly string[]) => string | undefined,
): readonly RequestClass[] {
  const classes = new Map<string, RequestClass>();
  for (const line of lines) {
    const parsed = port.layer === 'grpc' ? parseGrpcMethod(line) : parseRequestLine(line, port.urls);
    if (typeof parsed === 'string') {
      context.report(messages.badRequestLine, { line, why: parsed }, at);
      continue;
    }
    const contract = port.requests?.map((cls) => cls.text);
    if (contract && !contract.includes(parsed.text)) {
      context.report(messages.notInContract, { line: parsed.text, port: port.key, suggestion: suggestion(parsed.text, contract) }, at);
    }
    classes.set(parsed.text, parsed);
  }
  return sortedBy(classes.values(), (cls) => cls.text);
}
