/** The story of `npm run demo`, as a user starts it: every step checks itself, and this suite asks for all of them. */
import { demoDocument, interruptedDemo, leftOf } from '../kit/demo';

test('the whole path, told from a) to g), and nothing is left running', async () => {
  const { document, code, pid } = await demoDocument([]);
  const failed = document.steps.flatMap((step) =>
    step.checks.filter((check) => !check.ok).map((check) => `${step.step}) ${check.what}: ${check.saw}`),
  );
  expect(failed).toEqual([]);
  expect(document.steps.map((step) => step.step)).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
  expect(document.ok).toBe(true);
  expect(code).toBe(0);
  expect(await leftOf(pid)).toEqual([]);
}, 900_000);

test('Ctrl-C in the middle leaves nothing', async () => {
  const { code, pid } = await interruptedDemo(['--no-pulumi', '--steps', 'a'], 'agents are starting');
  expect(code).toBe(130);
  expect(await leftOf(pid)).toEqual([]);
}, 300_000);
