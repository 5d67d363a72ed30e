/** Paths made of other paths, for rewrites and redirects. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { PathTemplate, RequestClass } from '../../../../core/ir/ir';
import { literalPattern } from '../../../../core/semantics/match';
import type { RegexMatchAndSubstituteSchema } from '../../../../core/wire/gen/envoy/type/matcher/v3/regex_pb';

type Rewrite = MessageInitShape<typeof RegexMatchAndSubstituteSchema>;

/** The path of a template without parameters; null: it has some. */
export function plainPath(template: PathTemplate): string | null {
  const texts = template.map((segment) => (segment.kind === 'literal' ? segment.text : null));
  return texts.includes(null) ? null : `/${texts.join('/')}`;
}

/** Envoy replaces wherever the pattern is found, in the path without its query, so the pattern stands from end to end and is found once. */
export function pathRewrite(template: PathTemplate, cls: RequestClass | null): Rewrite {
  const plain = plainPath(template);
  if (plain !== null || cls === null) return { pattern: { regex: '^/.*$' }, substitution: plain ?? '/' };
  // RE2 has the groups 1 to 9 and reads `\10` as the first and a zero: only what the new path takes is a group
  const used = new Set(template.flatMap((segment) => (segment.kind === 'literal' ? [] : [segment.name])));
  const names = cls.path.flatMap((segment) => (segment.kind !== 'literal' && used.has(segment.name) ? [segment.name] : []));
  const pattern = cls.path.map((segment) => {
    if (segment.kind === 'literal') return `/${literalPattern(segment.text)}`;
    const taken = segment.kind === 'one' ? '[^/]+' : '.+';
    return used.has(segment.name) ? `/(${taken})` : `/${taken}`;
  });
  const text = template.map((segment) => `/${segment.kind === 'literal' ? segment.text : `\\${names.indexOf(segment.name) + 1}`}`);
  return { pattern: { regex: `^${pattern.join('')}$` }, substitution: text.join('') };
}
