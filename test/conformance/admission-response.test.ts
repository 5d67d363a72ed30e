/** What the API server checks of a webhook's answer, asserted of every answer that can be made: of verdicts of each kind, with hostile texts in every field. */
import * as fc from 'fast-check';
import { admit } from '../../core/diagnostics/admit';
import { allow, deny, undecided, verdictOf, type Finding, type Verdict } from '../../webhook/admit/verdict';
import { boundedWarnings, formatMutation, formatResponse, maxWarning, maxWarnings } from '../../webhook/review/response';

const uid = '705ab4f5-6393-11e8-b7cc-42010a800002';
const review = { uid, name: 'web', kind: { group: 'apps', version: 'v1', kind: 'Deployment' } };
const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 400 }),
  fc.string({ maxLength: 400 }),
  fc.constantFrom(
    'a\r\nSet-Cookie: x',
    '\u0000\u0007',
    '\ud800',
    'x'.repeat(10_000),
    '\u202e\u2028',
    '%s %d',
    '"quoted"',
    '😀'.repeat(300),
  ),
);
const finding = fc.record({
  mode: fc.constantFrom('deny' as const, 'warn' as const, 'audit' as const),
  field: hostile,
  diagnostic: hostile.map((reason) => admit.malformed({ reason })),
});
const verdicts: fc.Arbitrary<Verdict> = fc.oneof(
  fc.array(finding, { maxLength: 200 }).map((findings: readonly Finding[]) => verdictOf('workload', 'Pod/a/b', findings)),
  hostile.map((what) => deny('object', what, 'spec', admit.malformed({ reason: what }))),
  hostile.map((what) => undecided(what, admit.undecided({ reason: what }))),
  fc.constant(allow('release')),
);

const runes = (text: string): number => [...text].length;
const headerSafe = (text: string): boolean => !/[\p{Cc}\p{Cs}]/u.test(text);
const qualified = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

test('1, 2: every answer is one that the API server takes from a validating webhook', () => {
  fc.assert(
    fc.property(verdicts, (verdict) => {
      const answer = JSON.parse(JSON.stringify(formatResponse(review, verdict)));
      expect(Object.keys(answer).toSorted()).toEqual(['apiVersion', 'kind', 'response']);
      expect(answer).toMatchObject({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' });
      const { response } = answer;
      expect(response.uid).toBe(uid);
      expect(typeof response.allowed).toBe('boolean');
      expect(response).not.toHaveProperty('patch');
      expect(response).not.toHaveProperty('patchType');
      expect(response.allowed).toBe(response.status === undefined);
      if (response.status) {
        expect([422, 503]).toContain(response.status.code);
        expect(response.status.message).not.toBe('');
        expect(headerSafe(response.status.message)).toBe(true);
        expect(response.status.details.causes.length).toBeGreaterThan(0);
      }
      for (const [name, value] of Object.entries(response.auditAnnotations ?? {})) {
        expect(name).toMatch(qualified);
        expect(typeof value).toBe('string');
      }
    }),
    { numRuns: 300, seed: 4 },
  );
});

test('2: a patch comes with its type, or not at all', () => {
  expect(formatMutation(review, { patch: null, warnings: [] }).response).toEqual({ uid, allowed: true });
  expect(formatMutation(review, { patch: [], warnings: [] }).response).toEqual({ uid, allowed: true });
  const { response } = formatMutation(review, { patch: [{ op: 'remove', path: '/a' }], warnings: ['w'] });
  expect(response).toMatchObject({ allowed: true, patchType: 'JSONPatch', warnings: ['w'] });
  expect(JSON.parse(Buffer.from(response.patch ?? '', 'base64').toString('utf8'))).toEqual([{ op: 'remove', path: '/a' }]);
});

test('9: warnings are cut, bounded, said once, and safe in a header', () => {
  fc.assert(
    fc.property(fc.array(hostile, { maxLength: 300 }), (warnings) => {
      const kept = boundedWarnings(warnings);
      expect(new Set(kept).size).toBe(kept.length);
      expect(kept.every((text) => text !== '' && runes(text) <= maxWarning && headerSafe(text))).toBe(true);
      expect(kept.reduce((sum, text) => sum + runes(text), 0)).toBeLessThanOrEqual(maxWarnings);
    }),
    { seed: 4 },
  );
  const many = Array.from({ length: 200 }, (_, index) => `${index} ${'é'.repeat(1_000)}`);
  expect(boundedWarnings(many).length).toBe(maxWarnings / maxWarning);
});
