import * as fs from 'node:fs';
import * as path from 'node:path';
import { catalogue } from './catalogue';

describe('the catalogue of diagnostics', () => {
  it('has no code twice and no slug twice', () => {
    const twice = (values: readonly string[]): readonly string[] => values.filter((value, index) => values.indexOf(value) !== index);
    expect(twice(catalogue.map((one) => one.code))).toEqual([]);
    expect(twice(catalogue.map((one) => one.slug))).toEqual([]);
  });
  it('has codes of four digits whose first is the stage', () => {
    const first: Readonly<Record<string, string>> = {
      internal: '0',
      source: '1',
      evaluate: '2',
      policy: '2',
      ir: '3',
      settings: '3',
      outside: '3',
      gateways: '3',
      networks: '[34]', // while lowering, and by analysis
      answers: '3',
      analyse: '4',
      emit: '5',
      sign: '6',
      deploy: '7',
      gitops: '7',
      inject: '8',
      install: '7',
      admit: '8',
      enforce: '9',
    };
    for (const { code, stage } of catalogue) expect(`${stage} ${code}`).toMatch(new RegExp(`^${stage} MW${first[stage]}\\d{3}$`));
  });
  it('says what is wrong in one line', () => {
    for (const { code, summary } of catalogue) {
      expect(`${code} ${summary}`).not.toContain('\n');
      expect(summary.length).toBeGreaterThan(10);
    }
  });
  it('says what to do about each', () => {
    expect(catalogue.filter((one) => one.help === undefined).map((one) => one.code)).toEqual([]);
    // Its page has the repair: by a compiled example, or by its help line.
    const pages = path.join(__dirname, '..', '..', 'docs', 'diagnostics');
    const without = catalogue.filter(
      ({ code }) => !/^## (Repair|Repaired)$/m.test(fs.readFileSync(path.join(pages, `${code}.md`), 'utf8')),
    );
    expect(without.map((one) => one.code)).toEqual([]);
  });
  it('leaves no catalogue file of the folder out', () => {
    const files = fs.readdirSync(__dirname).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
    const withKinds = files.filter(
      (name) =>
        /(?:=|=>)\s+defineDiagnostic[<(]|: defineDiagnostic[<(]|: (?:define|kind|error|warning)[<(]/.test(
          fs.readFileSync(path.join(__dirname, name), 'utf8'),
        ) && name !== 'diagnostic.ts',
    );
    expect(withKinds.map((name) => name.replace(/\.ts$/, '')).sort()).toEqual([...new Set(catalogue.map((one) => one.stage))].sort());
  });
});
