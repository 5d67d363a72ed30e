import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { writeFileAtomic } from '../../platform/files';
import { runCommand } from '../../platform/process';
import type { Inventory } from '../inventory';
import { parseInventory, watchInventory } from './inventory-file';

const one = {
  id: 'a-1',
  workload: 'shop/a',
  app: { web: { host: '127.0.0.1', port: 80 } },
  inbound: { web: { host: '::1', port: 81 } },
  outbound: { host: '127.0.0.1', port: 82 },
};
const parse = (value: unknown) => parseInventory(typeof value === 'string' ? value : JSON.stringify(value), 'inventory.json');

test('reads what the documented form says', () => {
  expect(parse({ instances: [{ ...one, version: 'v1', zone: 'z' }] }).value).toEqual({
    instances: [{ ...one, version: 'v1', zone: 'z' }],
  });
  expect(parse({ instances: [{ id: 'a', workload: 'shop/a' }] }).value).toEqual({
    instances: [{ id: 'a', workload: 'shop/a', app: {}, inbound: {} }],
  });
  const full = {
    instances: [
      {
        ...one,
        ...{
          version: 'v1',
          network: 'west',
          eastWest: { host: '203.0.113.7', port: 15443 },
          region: 'r',
          zone: 'z',
          subZone: 's',
          weight: 3,
          priority: 1,
          health: 'degraded',
          away: ['web'],
        },
        outboundPorts: { 'shop/db.pg': { host: '127.0.0.1', port: 5432 } },
        capture: { inbound: { host: '0.0.0.0', port: 15006 }, outbound: { host: '127.0.0.1', port: 15005 } },
      },
    ],
    virtual: { 'shop/db.pg': [{ host: '10.96.0.7', port: 5432 }], 'shop/kafka.client|b1': [{ host: '10.96.0.8', port: 9092 }] },
    alsoOfMesh: ['10.0.0.2', 'fd00::2'],
  };
  expect(parse(full).value).toEqual(full);
});
test.each([
  ['{', 'JSON'],
  [{}, '`instances` must be a list'],
  [{ instances: [one, one] }, 'two instances are named `a-1`'],
  [{ instances: [{ ...one, id: 'A 1' }] }, '`id` of instance 0'],
  [{ instances: [{ ...one, workload: 'a' }] }, '`workload` of `a-1`'],
  [{ instances: [{ ...one, outbound: { host: 'localhost', port: 1 } }] }, '`localhost`, must be an IP address'],
  [{ instances: [], alsoOfMesh: ['10.0.0.0/8'] }, '`alsoOfMesh` has what is no IP address: `10.0.0.0/8`'],
  [{ instances: [{ ...one, weight: 0 }] }, '`weight` must be a number from 1 to 1000'],
  [{ instances: [{ ...one, priority: 0.5 }] }, '`priority` must be a whole number'],
  [{ instances: [{ ...one, inbound: { web: { host: '127.0.0.1', port: 80.5 } } }] }, '`port` must be a whole number'],
  [{ instances: [{ ...one, eastWest: { host: 'west.example', port: 15443 } }] }, '`west.example`, must be an IP address'],
  [{ instances: [{ ...one, network: 'w\ud800' }] }, '`network` holds half a character'],
  [{ instances: [{ ...one, zone: 'z\ud800' }] }, '`zone` holds half a character'],
  [{ instances: [{ ...one, away: ['wob'] }] }, '`away` of `a-1` names what is no port of its `inbound`: `wob`'],
  [{ instances: [{ ...one, away: ['east-west'] }] }, '`away` of `a-1` names what is no port of its `inbound`: `east-west`'],
  [{ instances: [{ ...one, away: true }] }, '`away` must be a list'],
  [{ instances: [{ ...one, health: 'fine' }] }, '`health` of `a-1` must be'],
  [{ instances: [{ ...one, outboundPorts: { db: one.outbound } }] }, '`db` must be `<namespace>/<service>.<port name>`'],
  [{ instances: [{ ...one, capture: { inbound: one.outbound, outbound: one.outbound } }] }, 'needs two ports'],
  [
    {
      instances: [{ ...one, capture: { inbound: one.inbound.web, outbound: one.outbound, outboundAlso: { host: '127.0.0.2', port: 82 } } }],
    },
    'loopback of the other family',
  ],
  [{ instances: [{ ...one, listeners: {}, capture: { inbound: one.outbound, outbound: one.outbound } }] }, 'is a gateway'],
  [{ instances: [], virtual: { 'shop/a.web': [one.outbound], 'shop/b.web': [one.outbound] } }, 'have one virtual address'],
  [
    {
      instances: [],
      virtual: { 'shop/a.web': [{ host: 'fd00::a', port: 80 }], 'shop/b.web': [{ host: 'FD00:0:0:0::A', port: 80 }] },
    },
    '`shop/a.web` and `shop/b.web` have one virtual address, fd00::a port 80',
  ],
  [{ instances: [{ ...one, inbound: { web: { host: '127.0.0.1', port: 0 } } }] }, '`port` must be a number from 1 to 65535'],
])('refuses %j', (value, why) => {
  const { value: made, diagnostics } = parse(value);
  expect(made).toBeUndefined();
  expect(diagnostics).toMatchObject([{ code: 'MW9002', message: expect.stringContaining(why) }]);
});
describe('a member that means nothing', () => {
  const said = (value: unknown): readonly string[] =>
    parse(value).diagnostics.map(({ code, message, help }) => `${code} ${message}: ${help}`);
  const [web, dns] = [one.inbound.web, { workload: 'shop/a', name: 'a.example', ports: { web: 80 } }];
  test.each([
    ['the file', { instnces: [one] }, 'instnces', 'did you mean `instances`?'],
    [
      '`instances[1]`',
      {
        instances: [
          { ...one, id: 'b' },
          { ...one, endpointonly: true },
        ],
      },
      'endpointonly',
      'did you mean `endpointOnly`?',
    ],
    ['`instances[0].inbound.web`', { instances: [{ ...one, inbound: { web: { ...web, prot: 1 } } }] }, 'prot', 'did you mean `port`?'],
    [
      '`instances[0].app.web`',
      { instances: [{ ...one, app: { web: { ...web, tls: true } } }] },
      'tls',
      'take `tls` out; known there are `host`, `port`',
    ],
    ['`instances[0].capture`', { instances: [{ ...one, capture: { inbond: web } }] }, 'inbond', 'did you mean `inbound`?'],
    ['`instances[0].eastWest`', { instances: [{ ...one, eastWest: { hots: '' } }] }, 'hots', 'did you mean `host`?'],
    ['`virtual.shop/a.web[1]`', { instances: [], virtual: { 'shop/a.web': [web, { Port: 1 }] } }, 'Port', 'did you mean `port`?'],
    ['`dns[0]`', { instances: [], dns: [{ ...dns, nam: 'a.example' }] }, 'nam', 'did you mean `name`?'],
    // found out by the control plane of a cluster alone
    ['`instances[0]`', { instances: [{ ...one, outboundAsPlaced: true }] }, 'outboundAsPlaced', expect.anything()],
    ['the file', '{ "instances": [], "__proto__": {} }', '__proto__', expect.anything()],
  ])('%s: %j', (place, value, member, help) => {
    const { value: made, diagnostics } = parse(value);
    expect(made).toBeUndefined();
    expect(diagnostics).toMatchObject([
      {
        code: 'MW9045',
        message: `\`inventory.json\` cannot be used: ${place} has an unknown member \`${member}\``,
        help: expect.anything(),
      },
    ]);
    if (typeof help === 'string') expect(diagnostics[0]?.help).toContain(help);
  });
  test('each of them is said, once for all places of its kind, and no endless list', () => {
    const many = Array.from({ length: 3 }, (_, index) => ({ ...one, id: `a-${index}`, inbound: { [`p${index}`]: { ...web, prot: 1 } } }));
    expect(said({ instances: many, dsn: [] })).toEqual([
      'MW9045 `inventory.json` cannot be used: `instances[0].inbound.p0` has an unknown member `prot`, the first of 3 places: did you mean `port`?',
      'MW9045 `inventory.json` cannot be used: the file has an unknown member `dsn`: did you mean `dns`?',
    ]);
    const wrong = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`${index}`.padEnd(200, 'x'), 1]));
    expect(said({ instances: [{ ...one, ...wrong }] })).toHaveLength(20);
    expect(said({ instances: [{ ...one, ...wrong }] })[0]?.length).toBeLessThan(600);
  });
  test('in a file that an earlier run kept takes nobody away: a later version may have written it', () => {
    const text = JSON.stringify({ instances: [{ ...one, later: 1 }], later: 1 });
    expect(parseInventory(text, 'kept.json', 'kept').value).toEqual({ instances: [one] });
    expect(parseInventory(text, 'kept.json').value).toBeUndefined();
  });
});
test('names by which more is found', () => {
  const dns = [
    { workload: 'shop/a', version: 'v2', network: 'west', region: 'r', weight: 2, name: 'a.example', ports: { web: 80 } },
    { workload: 'shop/a', srv: { web: '_web._tcp.a.example' } },
  ];
  expect(parse({ instances: [], dns }).value).toEqual({ instances: [], dns });
  const wrong = (entry: object): string => parse({ instances: [], dns: [entry] }).diagnostics[0]?.message ?? '';
  expect(wrong({ workload: 'a', name: 'a.example', ports: { web: 80 } })).toContain('`workload` of entry 0 of `dns`');
  expect(wrong({ workload: 'shop/a', name: 'a.example' })).toContain('needs `name` with `ports`, or `srv`');
  expect(wrong({ workload: 'shop/a', ports: { web: 80 }, srv: { web: 'a.example' } })).toContain('needs `name` with `ports`');
  expect(wrong({ workload: 'shop/a', srv: {} })).toContain('needs `name`');
  expect(wrong({ workload: 'shop/a', name: 'a..example', ports: { web: 80 } })).toContain('has a name that is none: `a..example`');
  expect(wrong({ workload: 'shop/a', name: 'a.example', ports: { web: 80.5 } })).toContain('`web` must be a whole number');
  expect(wrong({ workload: 'shop/a', name: 'a.example', ports: { web: 0 } })).toContain('`web` must be a number from 1');
});
test('a broken file is told once, and the last good one stays until a better comes', async () => {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'meshwright-inventory-'));
  const file = path.join(folder, 'inventory.json');
  const seen: (Inventory | string)[] = [];
  const watch = await watchInventory(file, {
    pollMs: 3_600_000,
    onChange: (next) => seen.push(next),
    onTrouble: ({ diagnostics }) => seen.push(diagnostics[0]?.code ?? ''),
  });
  try {
    expect(watch.current()).toEqual({ instances: [] });
    await writeFileAtomic(file, JSON.stringify({ instances: [one] }));
    await watch.check();
    await writeFileAtomic(file, '{"instances":');
    await watch.check();
    await watch.check();
    await writeFileAtomic(file, JSON.stringify({ instances: [{ ...one, inbond: {} }] }));
    await watch.check();
    await watch.check();
    expect(watch.current()).toEqual({ instances: [one] });
    await writeFileAtomic(file, JSON.stringify({ instances: [] }));
    await watch.check();
    await fs.rm(file);
    await watch.check();
    expect(seen).toEqual([{ instances: [one] }, 'MW9002', 'MW9045', { instances: [] }, 'MW9002']);
    expect(watch.current()).toEqual({ instances: [] });
  } finally {
    watch.close();
    await fs.rm(folder, { recursive: true });
  }
});
test('a file that is longer than it may be is not read to its end: that is said once, and the last good one stays', async () => {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'meshwright-inventory-'));
  const file = path.join(folder, 'inventory.json');
  const text = JSON.stringify({ instances: [one] });
  const said: string[] = [];
  const options = { pollMs: 3_600_000, mostBytes: text.length, onChange: () => undefined };
  const onTrouble = ({ diagnostics }: { readonly diagnostics: readonly { readonly message: string }[] }): void =>
    void said.push(diagnostics[0]?.message ?? '');
  const tooLong = `\`${file}\` cannot be used: it has more than ${text.length} bytes`;
  await writeFileAtomic(file, text);
  const watch = await watchInventory(file, { ...options, onTrouble });
  try {
    await writeFileAtomic(file, `${text} `);
    await watch.check();
    await writeFileAtomic(file, `${text}  `);
    await watch.check();
    expect([watch.current(), said]).toEqual([{ instances: [one] }, [tooLong]]);
    const later = await watchInventory(file, { ...options, onTrouble });
    later.close();
    expect([later.current(), said]).toEqual([{ instances: [] }, [tooLong, tooLong]]);
    // one without an end says that it has no size
    const endless = await watchInventory('/dev/zero', { ...options, onTrouble });
    endless.close();
    expect(said.at(-1)).toBe(tooLong.replace(file, '/dev/zero'));
  } finally {
    watch.close();
    await fs.rm(folder, { recursive: true });
  }
});
test('neither bytes that are no text nor a pipe that nobody writes to can be used, and both are said', async () => {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'meshwright-inventory-'));
  const [file, pipe] = [path.join(folder, 'inventory.json'), path.join(folder, 'pipe')];
  const said: string[] = [];
  const onTrouble = ({ diagnostics }: { readonly diagnostics: readonly { readonly message: string }[] }): void =>
    void said.push(diagnostics[0]?.message ?? '');
  try {
    await fs.writeFile(file, Buffer.from(JSON.stringify({ instances: [{ ...one, zone: 'z\u00e9' }] }), 'latin1'));
    await runCommand('mkfifo', [pipe], { timeoutMs: 10_000 });
    for (const each of [file, pipe]) {
      const watch = await watchInventory(each, { pollMs: 3_600_000, onChange: () => undefined, onTrouble });
      watch.close();
      expect(watch.current()).toEqual({ instances: [] });
    }
    expect(said).toEqual([expect.stringContaining('not valid for encoding utf-8'), expect.stringContaining('Unexpected end of JSON')]);
  } finally {
    await fs.rm(folder, { recursive: true });
  }
});
test('the last good one of an earlier run is in force while the file cannot be used', async () => {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'meshwright-inventory-'));
  const file = path.join(folder, 'inventory.json');
  const kept: Inventory = {
    instances: [{ id: 'a-1', workload: 'shop/a' as Inventory['instances'][number]['workload'], app: {}, inbound: {} }],
  };
  try {
    for (const text of ['{"instances":', null]) {
      if (text === null) await fs.rm(file);
      else await fs.writeFile(file, text);
      const seen: (Inventory | string)[] = [];
      const watch = await watchInventory(file, {
        pollMs: 3_600_000,
        kept,
        onChange: (next) => seen.push(next),
        onTrouble: ({ diagnostics }) => seen.push(diagnostics[0]?.code ?? ''),
      });
      watch.close();
      expect(seen).toEqual([kept, 'MW9002']);
      expect(watch.current()).toBe(kept);
    }
  } finally {
    await fs.rm(folder, { recursive: true, force: true });
  }
});
