/** The story of `npm run demo -- --kubernetes`, as a user starts it: every step checks itself, and this suite asks for all of them. */
import { demoDocument, interruptedDemo, leftOf } from '../kit/demo';

jest.setTimeout(1_800_000);

test('the story on a real API server, with the webhook installed, and nothing is left running', async () => {
  const { document, code, pid } = await demoDocument(['--kubernetes']);
  const failed = document.steps.flatMap((step) =>
    step.checks.filter((check) => !check.ok).map((check) => `${step.step}) ${check.what}: ${check.saw}`),
  );
  expect(failed).toEqual([]);
  expect(document.steps.map((step) => step.step).join('')).toBe('abcdefhijk');
  expect(document).toMatchObject({ ok: true, kubernetes: true });
  expect(code).toBe(0);
  expect(await leftOf(pid)).toEqual([]);
});

test('Ctrl-C in the middle leaves nothing', async () => {
  const { code, pid } = await interruptedDemo(['--kubernetes', '--no-pulumi', '--steps', 'a'], 'control planes are up');
  expect(code).toBe(130);
  expect(await leftOf(pid)).toEqual([]);
});
