import * as fc from 'fast-check';
import { parse } from 'lossless-json';
import { canonicalJson } from '../../core/lib/json';
import { firstDifference, JsonError, maxDepth, memberOf, parseJson, sameJson } from './json';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const read = (text: string): unknown => parseJson(bytes(text));

describe('strict JSON', () => {
  it('says what an independent lossless parser says, for any value that both take', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => {
        const exact = (number: string): number | bigint =>
          /^-?\d+$/.test(number) && !Number.isSafeInteger(Number(number)) ? BigInt(number) : Number(number);
        let wanted: unknown;
        try {
          wanted = parse(text, null, exact);
        } catch {
          expect(() => read(text)).toThrow(JsonError);
          return;
        }
        if (!text.includes('__proto__')) expect(sameJson(read(text), wanted)).toBe(true);
      }),
      { numRuns: 500, seed: 4 },
    );
  });
  it('takes whatever JSON.stringify writes, and gives it back', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const text = JSON.stringify(value);
        expect(JSON.stringify(read(text), (_key, member: unknown) => (typeof member === 'bigint' ? Number(member) : member))).toBe(text);
      }),
      { numRuns: 500, seed: 4 },
    );
  });
  it('6: refuses a key that comes twice, however it is spelled and wherever it is', () => {
    for (const text of [
      '{"a":1,"a":1}',
      '{"a":1,"\\u0061":2}',
      '[{"b":{"c":[{"d":1,"d":{}}]}}]',
      '{"__proto__":1,"__proto__":2}',
      '{"a":{},"a":{"b":1}}',
    ]) {
      expect(() => read(text)).toThrow('it has a key twice in one object');
    }
    fc.assert(
      fc.property(fc.string(), fc.jsonValue(), fc.jsonValue(), (key, one, two) => {
        const text = `{${JSON.stringify(key)}:${JSON.stringify(one)},"other":[],${JSON.stringify(key)}:${JSON.stringify(two)}}`;
        expect(() => read(text)).toThrow(JsonError);
      }),
      { seed: 4 },
    );
  });
  it('6: keeps `__proto__`, `constructor` and `toString` as keys, and nothing else changes by them', () => {
    const value = read('{"labels":{"__proto__":{"polluted":true},"constructor":"x","toString":"y"}}');
    const labels = memberOf(value, 'labels');
    expect(memberOf(memberOf(labels, '__proto__'), 'polluted')).toBe(true);
    expect(memberOf(labels, 'constructor')).toBe('x');
    expect(memberOf({}, 'constructor')).toBeUndefined();
    expect(memberOf({}, 'polluted')).toBeUndefined();
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
  });
  it('7: keeps an integer beyond 2^53 exactly, and no canonical form takes it for its neighbour', () => {
    const value = read('{"n":9007199254740993,"m":9007199254740991,"k":-9223372036854775808}');
    expect(memberOf(value, 'n')).toBe(9007199254740993n);
    expect(memberOf(value, 'm')).toBe(9007199254740991);
    expect(memberOf(value, 'k')).toBe(-9223372036854775808n);
    expect(sameJson(read('{"n":9007199254740993}'), read('{"n":9007199254740992}'))).toBe(false);
    expect(() => canonicalJson(value)).toThrow('bigint');
  });
  it('7: refuses a number that nobody can keep exactly', () => {
    for (const text of ['1e400', '0.1234567890123456789', '9007199254740993e0', '1e-400', '123456789012345678.5'])
      expect(() => read(`{"n":${text}}`)).toThrow('cannot be kept exactly');
    for (const text of [
      '1e2',
      '0.1',
      '1.50',
      '-0',
      '1E+3',
      '0.30000000000000004',
      '5e-324',
      '1.7976931348623157e308',
      '100000000000000000000.0',
    ])
      expect(memberOf(read(`{"n":${text}}`), 'n')).toBe(Number(text));
  });
  it('is not stalled by numbers without end, or by more values than two objects have', () => {
    const said = (text: string): string => {
      try {
        parseJson(Buffer.from(text));
        return 'taken';
      } catch (error) {
        return error instanceof JsonError ? error.message : 'another error';
      }
    };
    for (const text of [`[0.${'0'.repeat(200_000)}1]`, `[1${'0'.repeat(200_000)}1]`, '9'.repeat(1_000_000), `[1e${'9'.repeat(1_000)}]`])
      expect(said(text)).toBe('it has a number of more than 100 digits');
    expect(said(`[${'{},'.repeat(1_000_001)}1]`)).toBe('it has too many values');
    expect(said(`[${'{},'.repeat(400_000)}9007199254740991]`)).toBe('taken');
    expect(said(`[${'{},'.repeat(400_000)}9007199254740993]`)).toBe('it has too many values');
  });
  it('does not take digits, colons and brackets in texts for anything', () => {
    const value = { 'a:b"\\': '12345678901234567890:{}[]\\"', c: ['\\\\', '"', '1e9'] };
    expect(read(JSON.stringify(value))).toEqual(value);
  });
  it('refuses what is no JSON, no UTF-8 or too deep', () => {
    for (const text of ['', '{', '{"a":}', 'nul', '{"a":1}}', "{'a':1}", '[1,]', '\u{feff}{}', '{"a":"\u0001"}'])
      expect(() => read(text)).toThrow(JsonError);
    expect(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22))).toThrow('it is not UTF-8');
    expect(read(`${'['.repeat(maxDepth)}${']'.repeat(maxDepth)}`)).toBeDefined();
    expect(() => read('['.repeat(3_000_000))).toThrow('nested more than');
  });
});

describe('comparing', () => {
  it('does not mind order of members, and minds everything else', () => {
    expect(sameJson({ a: 1, b: [1, 2] }, { b: [1, 2], a: 1 })).toBe(true);
    expect(sameJson({ a: [1, 2] }, { a: [2, 1] })).toBe(false);
    expect(sameJson({ a: undefined }, {})).toBe(false);
    expect(sameJson([], {})).toBe(false);
  });
  it.each([
    [{ a: 1 }, { a: 1 }, null],
    [{ a: { b: 1 } }, { a: { b: 2 } }, 'x.a.b'],
    [{ a: [1, 2] }, { a: [1, 2, 3] }, 'x.a[2]'],
    [{ a: [{ n: 1 }] }, { a: [{ n: 2 }] }, 'x.a[0].n'],
    [{ a: 1 }, {}, 'x.a'],
    [1, '1', 'x'],
  ])('the first place where %j and %j differ is %s', (a, b, path) => expect(firstDifference(a, b, 'x')).toBe(path));
});
