import { bookinfo } from '../test/kit/bookinfo-ir';
import { answerQuestion, createCoverage } from './answer';

const ir = bookinfo();
const irs = new Map([[ir.environment, ir]]);
const env = ir.environment;
const idOf = (name: string): string => ir.workloads.find((workload) => workload.key === `bookinfo/${name}`)?.id ?? '';
const ask = (question: object): unknown => JSON.parse(answerQuestion(irs, JSON.stringify(question)));

describe('questions of policy tests', () => {
  const caller = ir.access.find((rule) => rule.action === 'allow' && rule.port === 'bookinfo/reviews.web');
  it('answers a request by the definition, and counts the rules that decided', () => {
    const coverage = createCoverage(irs);
    const question = {
      op: 'ask',
      env,
      from: { ref: idOf('productpage') },
      to: { ref: idOf('reviews'), port: 'web' },
      request: 'GET /reviews/7',
      headers: {},
    };
    const { decision } = JSON.parse(answerQuestion(irs, JSON.stringify(question), coverage));
    expect(decision).toMatchObject({ outcome: 'allow', because: [caller?.id] });
    const report = coverage.report();
    expect(report.decided).toBeGreaterThan(0);
    expect(report.undecided).not.toContain(caller?.id);
    expect(report.rules).toBe(report.decided + report.undecided.length);
  });
  it('knows who may call, and whom one may call', () => {
    expect(ask({ op: 'callersOf', env, to: { ref: idOf('reviews'), port: 'web' } })).toEqual({ callers: [idOf('productpage')] });
    expect(ask({ op: 'reachableFrom', env, from: { ref: idOf('productpage') } })).toMatchObject({
      targets: expect.arrayContaining([{ ref: idOf('reviews'), port: 'web' }]),
    });
  });
  it('says what it cannot answer, and never throws', () => {
    expect(ask({ op: 'ask', env: 'moon', from: {}, to: {}, request: 'GET /' })).toEqual({ error: 'the mesh has no environment `moon`' });
    expect(ask({ op: 'dance', env })).toEqual({ error: 'there is no question `dance`' });
    expect(ask({ op: 'callersOf', env, to: { ref: `${idOf('reviews')}x` } })).toMatchObject({
      error: expect.stringContaining(`did you mean \`${idOf('reviews')}\``),
    });
    for (const text of [
      '',
      'null',
      '[]',
      '{"op":7}',
      '{"op":"ask"}',
      `{"op":"ask","env":"${env}","request":"GET /","from":null,"to":null}`,
    ])
      expect(JSON.parse(answerQuestion(irs, text))).toHaveProperty('error');
  });
});
