import * as fs from 'node:fs';
import * as path from 'node:path';
import { generateMesh } from '../kit/mesh-generator';
import { borneOut, claimsAndGaps } from './claims';
import type { CoverageOf } from './coverage-of';

interface Before {
  readonly name: string;
  readonly kind: 'a' | 'b';
  readonly action: { readonly kind: 'go'; readonly to: string } | { readonly kind: 'stay' };
}
interface After extends Omit<Before, 'action'> {
  readonly action: Before['action'] | { readonly kind: 'turn'; readonly by: number };
}

test('a member, a kind or a literal that nobody spoke for does not compile', () => {
  const before: CoverageOf<Before> = { name: 'yes', kind: { a: 'yes', b: 'yes' }, action: { go: { to: 'yes' }, stay: 'yes' } };
  // @ts-expect-error the kind `turn` came
  const action: CoverageOf<After> = before;
  // @ts-expect-error a member came
  const member: CoverageOf<Before & { readonly late: boolean }> = before;
  // @ts-expect-error a literal came
  const literal: CoverageOf<Omit<Before, 'kind'> & { readonly kind: 'a' | 'b' | 'c' }> = before;
  expect([action, member, literal]).toHaveLength(3);
});

test('what is said to be generated comes up within 200 meshes', () => {
  const { claims } = claimsAndGaps();
  const seen = new Set<string>();
  for (let seed = 1; seed <= 200; seed += 1) borneOut(generateMesh(seed, 3), seen);
  expect([...claims].filter(([key]) => !seen.has(key)).map(([, { at }]) => at)).toEqual([]);
});

test('README.md says what is generated and what is not', () => {
  const file = path.join(__dirname, 'README.md');
  const text = fs.readFileSync(file, 'utf8');
  const [begin, end] = ['<!-- written from coverage.ts: begin -->\n', '<!-- end -->'];
  const [before = '', after = ''] = [text.split(begin)[0], text.split(end)[1]];
  const { claims, gaps } = claimsAndGaps();
  const parts = new Map<string, string[]>();
  for (const { at, words } of claims.values()) {
    const [part = '', ...rest] = at.split('.');
    parts.set(part, [...(parts.get(part) ?? []), `\`${rest.join('.') || part}\`${words === 'yes' ? '' : ` (${words})`}`]);
  }
  const table = [
    '**Generated** (a part that stands in several places is named where it stands first)',
    '',
    ...[...parts].map(([part, names]) => `- \`${part}\`: ${names.join(', ')}`),
    '',
    '| not generated | why |',
    '|---|---|',
    ...gaps.map(({ at, why }) => `| \`${at}\` | ${why} |`),
    '',
  ];
  const made = `${before}${begin}${table.join('\n')}${end}${after}`;
  if (process.env['UPDATE_GOLDEN'] === '1' && !process.env['CI']) fs.writeFileSync(file, made);
  expect(fs.readFileSync(file, 'utf8')).toBe(made);
});
