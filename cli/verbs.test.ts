import { verbs } from './verbs';

it('no verb and no option of a verb is there twice', () => {
  expect(new Set(verbs.map((verb) => verb.name)).size).toBe(verbs.length);
  for (const verb of verbs) {
    const flags = (verb.options ?? []).map((option) => option.flags.split(' ')[0]);
    expect([verb.name, new Set(flags).size]).toEqual([verb.name, flags.length]);
  }
});
it('every verb that architecture names is there', () => {
  const names = verbs.map((verb) => verb.name);
  for (const name of [
    'init',
    'check',
    'build',
    'ask',
    'test',
    'diff',
    'explain',
    'why',
    'graph',
    'verify',
    'keys generate',
    'up',
    'serve control-plane',
    'serve gitops',
    'agent',
    'preview',
    'deploy',
    'status',
    'rollout promote',
    'rollout abort',
    'rollout rollback',
    'proxy status',
    'proxy config',
    'proxy diff',
    'doctor',
  ])
    expect(names).toContain(name);
});
it.each(verbs.map((verb) => [verb.name, verb] as const))('%s has code, a summary and examples that name it', async (name, verb) => {
  expect(typeof (await verb.load()).run).toBe('function');
  expect(verb.summary).toMatch(/^[a-z].*[^.]$/);
  for (const example of verb.examples ?? []) expect(example).toContain(`meshwright ${name}`);
});
