import type { PathTemplate } from '../../../../core/ir/ir';
import { rewrittenPath } from '../../../../core/semantics/forwarded';
import { pathRewrite } from './rewrite';

const one = (name: string): PathTemplate[number] => ({ kind: 'one', name });

test('the tenth parameter of a request is not read as the first and a zero', () => {
  const path: PathTemplate = [...'abcdefghij'].map(one);
  const cls = { method: 'GET', path, text: 'GET' };
  const template: PathTemplate = [{ kind: 'literal', text: 'x' }, one('j'), one('b')];
  const { pattern, substitution } = pathRewrite(template, cls);
  const asked = '/1/2/3/4/5/6/7/8/9/ten';
  // one digit follows a backslash in RE2's substitutions, and no more
  const found = new RegExp(pattern?.regex ?? '').exec(asked);
  const made = substitution?.replace(/\\([0-9])/g, (_, digit: string) => found?.[Number(digit)] ?? '');
  expect(made).toBe('/x/ten/2');
  expect(made).toBe(rewrittenPath(template, cls, asked));
});
