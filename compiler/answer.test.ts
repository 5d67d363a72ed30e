import { bookinfo } from '../test/kit/bookinfo-ir';
import { outside } from '../test/kit/outside-ir';
import type { Decision } from '../core/semantics/decision';
import { answerQuestion } from './answer';
import { coverageOf } from './coverage';

const ir = bookinfo();
const irs = new Map([[ir.environment, ir]]);
const env = ir.environment;
const idOf = (name: string): string => ir.workloads.find((workload) => workload.key === `bookinfo/${name}`)?.id ?? '';
const ask = (question: object): unknown => JSON.parse(answerQuestion(irs, JSON.stringify(question)));

describe('questions of policy tests', () => {
  const caller = ir.access.find((rule) => rule.action === 'allow' && rule.port === 'bookinfo/reviews.web');
  const asked = {
    op: 'ask',
    env,
    from: { ref: idOf('productpage') },
    to: { ref: idOf('reviews'), port: 'web' },
    request: 'GET /reviews/7',
    headers: {},
  };
  it('answers a request by the definition, and names what decided', () => {
    const answer = JSON.parse(answerQuestion(irs, JSON.stringify(asked)));
    expect(answer).toMatchObject({
      decision: { outcome: 'allow', because: [caller?.id] },
      targets: answer.decision.destinations.map(() => ({ ref: idOf('reviews'), port: 'web', through: null })),
      mirrors: [],
      asked: 'GET /reviews/7 from bookinfo/productpage to bookinfo/reviews.web',
    });
    expect(answer.decidedBy).toEqual(expect.arrayContaining([caller?.id, answer.decision.route.rule]));
  });
  it('asks by the name of a method as a client of gRPC does', () => {
    const headers = (request: string, given = {}): unknown =>
      (ask({ ...asked, request, headers: given }) as { decision: Decision }).decision.destinations[0]?.request.headers;
    expect(headers('shop.v1.Cart/Get')).toEqual({ 'content-type': 'application/grpc' });
    expect(headers('shop.v1.Cart/Get', { 'Content-Type': 'application/grpc+json' })).toEqual({ 'content-type': 'application/grpc+json' });
    expect(headers('POST /shop.v1.Cart/Get')).toEqual({});
  });
  it('answers for an address that is dialled', () => {
    const out = outside();
    const found = (name: string): string => out.services.find(({ key }) => key === name)?.id ?? '';
    const to = (address?: string): unknown => {
      const dialled = { ...asked, env: out.environment, to: { ref: found('outside/fleet'), port: 'it' }, address };
      const from = { ref: out.workloads.find(({ key }) => key === 'bookinfo/productpage')?.id ?? '' };
      return JSON.parse(answerQuestion(new Map([[out.environment, out]]), JSON.stringify({ ...dialled, from }))).decision.outcome;
    };
    expect([to(), to('198.51.100.7'), to('2001:db8::7')]).toEqual(['allow', 'allow', 'allow']);
    expect([to('198.51.100.65'), to('203.0.113.1')]).toEqual(['deny', 'deny']);
  });
  it('knows who may call, and whom one may call', () => {
    expect(ask({ op: 'callersOf', env, to: { ref: idOf('reviews'), port: 'web' } })).toMatchObject({ callers: [idOf('productpage')] });
    expect(ask({ op: 'reachableFrom', env, from: { ref: idOf('productpage') } })).toMatchObject({
      targets: expect.arrayContaining([{ ref: idOf('reviews'), port: 'web' }]),
    });
  });
  it('counts access rules, routes that somebody wrote and guarantees, and shadow rules not', () => {
    const none = coverageOf(irs, new Set());
    expect(none).toMatchObject({ decided: 0, percent: 0, rules: none.undecided.length });
    expect(none.kinds.access.rules).toBe(ir.access.filter((rule) => rule.mode === 'enforce').length);
    expect(none.kinds.guarantee.rules).toBe(ir.guarantees.length);
    const all = new Set(none.undecided.map((one) => one.id));
    expect(coverageOf(irs, all)).toMatchObject({ percent: 100, undecided: [] });
    expect(coverageOf(new Map(), all)).toMatchObject({ rules: 0, percent: 100 });
    const shadow = { ...ir, access: ir.access.map((rule) => ({ ...rule, mode: 'shadow' as const })) };
    expect(coverageOf(new Map([[env, shadow]]), new Set()).kinds.access.rules).toBe(0);
    const { decidedBy } = JSON.parse(answerQuestion(irs, JSON.stringify(asked)));
    expect(coverageOf(irs, new Set(decidedBy)).undecided.map((one) => one.id)).toEqual(
      none.undecided.map((one) => one.id).filter((id) => !decidedBy.includes(id)),
    );
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
