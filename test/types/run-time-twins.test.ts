/** Every mistake that tsc refuses is refused again at run time, with a code, once the types are taken away. */
import * as path from 'node:path';
import { policy } from '../../core/diagnostics/policy';
import { mistakes, mistakesFile, mistakesText } from './mistakes-list';
import { organisation } from './policy-compiler';
import { type Attempt, runErased } from './sandboxed';

/** What the SDK never meets: it is gone, or refused, before a policy module runs. */
const elsewhere: { readonly [number: string]: string } = {
  '01': 'the import is refused when sources are bundled',
  '02': 'the import is refused when sources are bundled',
  '56': 'the sandbox has no clock',
  '57': 'the sandbox has no network',
  '58': 'the sandbox has no process',
};
const expected: { readonly [number: string]: string } = {
  '03': 'MW2112', '04': 'MW2114', '05': 'MW2115', '06': 'MW2115', '07': 'MW2115', '08': 'MW2115', '09': 'MW2106', '10': 'MW2102',
  '11': 'MW2127', '12': 'MW2127', '13': 'MW2127', '14': 'MW2107', '15': 'MW2107', '16': 'MW2109', '17': 'MW2109', '18': 'MW2109', '19': 'MW2111',
  '20': 'MW2110', '21': 'MW2110', '22': 'MW2103', '23': 'MW2103', '24': 'MW2103', '25': 'MW2103', '26': 'MW2103', '27': 'MW2118', '28': 'MW2106',
  '29': 'MW2106', '30': 'MW2106', '31': 'MW2102', '32': 'MW2106', '33': 'MW2102', '34': 'MW2106', '35': 'MW2106', '36': 'MW2120', '37': 'MW2120',
  '38': 'MW2102', '39': 'MW2120', '40': 'MW2120', '41': 'MW2102', '42': 'MW2116', '43': 'MW2117', '44': 'MW2102', '45': 'MW2119', '46': 'MW2102', '47': 'MW2121',
  '48': 'MW2112', '49': 'MW2122', '50': 'MW2117', '51': 'MW2113', '52': 'MW2113', '53': 'MW2119', '54': 'MW2103', '55': 'MW2104', '59': 'MW2103',
  '60': 'MW2120', '61': 'MW2120', '62': 'MW2125', '63': 'MW2108', '64': 'MW2106',
  '65': 'MW2106', '66': 'MW2101', '67': 'MW2124', '68': 'MW2124', '69': 'MW2102', '70': 'MW2102', '71': 'MW2124', '72': 'MW2103', '73': 'MW2106', '74': 'MW2127',
  '85': 'MW2125', '86': 'MW2102', '87': 'MW2103', '88': 'MW2106', '89': 'MW2101', '90': 'MW2103', '91': 'MW2103', '92': 'MW2101', '93': 'MW2102', '94': 'MW2126',
  '100': 'MW2102', '101': 'MW2115', '102': 'MW2118', '103': 'MW2125', '104': 'MW2103', '105': 'MW2101', '106': 'MW2102', '107': 'MW2112', '130': 'MW2103', '140': 'MW2101', '141': 'MW2103', '142': 'MW2101', '143': 'MW2103',
  '180': 'MW2103', '181': 'MW2120', '182': 'MW2127', '183': 'MW2102', '184': 'MW2120',
  '131': 'MW2125', '132': 'MW2125', '133': 'MW2106', '134': 'MW2106', '135': 'MW2106', '136': 'MW2106', '137': 'MW2115',
  '200': 'MW2102', '201': 'MW2121', '202': 'MW2103', '203': 'MW2103', '204': 'MW2121', '205': 'MW2103', '206': 'MW2101',
  '207': 'MW2115',
  '208': 'MW2120',
  '209': 'MW2118', '210': 'MW2118', '211': 'MW2118',
  '230': 'MW2103',
  '231': 'MW2102',
  '232': 'MW2101',
  '233': 'MW2103', '234': 'MW2103', '235': 'MW2109',
  '238': 'MW2101',
  '138': 'MW2101',
  '139': 'MW2103',
  '163': 'MW2103', '164': 'MW2120',
}; // prettier-ignore

let attempts: ReadonlyMap<string, Attempt>;
beforeAll(async () => {
  const lines = mistakesText.split('\n');
  for (const { number, line, code } of mistakes) {
    const expression = /^export const \w+ = (.*);$/.exec(code)?.[1];
    lines[line - 1] = number in elsewhere || expression === undefined ? '' : `attempt('${number}', () => ${expression});`;
  }
  // The mesh is known before anything else runs, as the generated entry has it.
  const source = `import '${path.join(organisation, 'policies', 'mesh.policy.ts')}';\ndeclare const attempt: (name: string, f: () => unknown) => void;\n${lines.join('\n')}`;
  attempts = (await runErased(source, path.dirname(mistakesFile))).attempts;
});

const known = new Set<string>(Object.values(policy).map((kind) => kind.code));
test.each(mistakes.filter((one) => !(one.number in elsewhere)).map((one) => [one.number, one.what] as const))('%s %s', (number) => {
  const attempt = attempts.get(number);
  expect({ code: attempt?.code, threw: attempt?.threw }).toEqual({ code: expected[number] });
  expect(known).toContain(attempt?.code);
  expect(attempt?.message).toMatch(/^[^A-Z\n][^\n]*[^.\n]$/);
  expect(attempt?.help).toMatch(/^[^A-Z\n][^\n]*[^.\n]$/);
});
