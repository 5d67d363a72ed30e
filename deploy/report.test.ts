import { codedDiagnostics } from './report';

test("diagnostics come back out of Pulumi's words", () => {
  expect(codedDiagnostics('1 error occurred:\n\t* MW7003: the roll-out of release 2 was aborted: a: b\n', 'error')).toEqual([
    { code: 'MW7003', slug: 'roll-out-aborted', severity: 'error', message: 'the roll-out of release 2 was aborted: a: b' },
  ]);
  expect(codedDiagnostics('MW6009: one; MW6010: two', 'error').map((d) => `${d.code} ${d.message}`)).toEqual(['MW6009 one', 'MW6010 two']);
  expect(codedDiagnostics('MW7011: nobody is there', 'warning')).toMatchObject([{ severity: 'warning' }]);
  expect(codedDiagnostics('something else', 'error')).toEqual([]);
});
