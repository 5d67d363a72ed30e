/** The inventory file: read, checked, watched. A file that is broken is said to be, and the last good one stays in force. */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { isIP } from 'node:net';
import * as path from 'node:path';
import { enforce } from '../../core/diagnostics/enforce';
import type { Outcome } from '../../core/diagnostics/diagnostic';
import { reasonOf } from '../../core/lib/reason';
import { isNotFound, readTextUpTo } from '../../platform/files';
import { latestOnly } from '../../platform/latest-only';
import { isInstanceId, isWorkloadKey } from '../ca/spiffe';
import type { Address, Capture, Health, Instance, Inventory, VirtualAddresses } from '../inventory';
import { isDnsName } from './dns/message';
import type { DnsSource } from './dns/source';
import { membersOf, unknownMembers } from './members';
import { booleanOf, DecodeError, fieldsOf, listOf, numberOf, optionalTextOf, recordOf, textOf, type Fields } from '../rpc/decode';

const maxInstances = 100_000;
const maxVirtual = 16;
const maxSources = 1_000;
/** Room for all instances there may be, with names and addresses of the usual length. */
const longestFile = 64 << 20;

/** The file: what runs where, and names by which more of it is found. */
export interface InventoryFile extends Inventory {
  readonly dns?: readonly DnsSource[];
}

const address = membersOf<Address>({ host: null, port: null });
const near = { version: null, network: null, region: null, zone: null, subZone: null, weight: null, priority: null };
// On Kubernetes alone: whoever writes a file places each port.
const instance = membersOf<Omit<Instance, 'outboundAsPlaced'>>({
  ...near,
  id: null,
  workload: null,
  health: null,
  app: { each: address },
  inbound: { each: address },
  outbound: address,
  outboundPorts: { each: address },
  capture: membersOf<Capture>({ inbound: address, outbound: address, outboundAlso: address }),
  eastWest: address,
  listeners: { each: address },
  endpointOnly: null,
  away: null,
});
const source = membersOf<DnsSource>({ ...near, workload: null, name: null, ports: null, srv: null });
const inventoryFile = membersOf<InventoryFile>({
  instances: { each: instance },
  virtual: { each: { each: address } },
  alsoOfMesh: null,
  dns: { each: source },
});

/**
 * Decodes an inventory. Hosts are IP addresses: Envoy takes nothing else to listen on, and a name would be looked up behind everybody's back. Every member
 * that means nothing refuses it, but for one that we have `kept`: a later version may have written more into it, and without it nobody would be known.
 */
export function parseInventory(text: string, file: string, kept?: 'kept'): Outcome<InventoryFile> {
  try {
    const parsed: unknown = JSON.parse(text);
    const unknown = kept === undefined ? unknownMembers(parsed, inventoryFile, file) : [];
    if (unknown.length > 0) return { diagnostics: unknown };
    const fields = fieldsOf(parsed, 'the inventory');
    const instances = listOf(fields, 'instances', maxInstances).map(instanceFrom);
    const seen = new Set<string>();
    for (const { id } of instances) {
      if (seen.has(id)) throw new DecodeError(`two instances are named \`${id}\``);
      seen.add(id);
    }
    const dns = fields['dns'] === undefined ? [] : listOf(fields, 'dns', maxSources).map(sourceFrom);
    return {
      value: {
        instances,
        ...(fields['virtual'] === undefined ? {} : { virtual: virtualFrom(fields) }),
        ...(fields['alsoOfMesh'] === undefined ? {} : { alsoOfMesh: listOf(fields, 'alsoOfMesh', maxInstances).map(ipFrom) }),
        ...(dns.length === 0 ? {} : { dns }),
      },
      diagnostics: [],
    };
  } catch (error) {
    return { diagnostics: [enforce.badInventory({ file, reason: reasonOf(error) })] };
  }
}

function instanceFrom(value: unknown, index: number): Instance {
  const fields = fieldsOf(value, `instance ${index}`);
  const id = textOf(fields, 'id', 64);
  if (!isInstanceId(id)) throw new DecodeError(`\`id\` of instance ${index} must be lower-case letters, digits, \`-\` and \`.\``);
  const workload = textOf(fields, 'workload');
  if (!isWorkloadKey(workload)) throw new DecodeError(`\`workload\` of \`${id}\` must be \`<namespace>/<name>\``);
  const addresses = (key: string): { readonly [name: string]: Address } =>
    fields[key] === undefined ? {} : recordOf(fields, key, addressFrom);
  const [inbound, listeners] = [addresses('inbound'), addresses('listeners')];
  const doors = Object.hasOwn(listeners, 'east-west') || fields['eastWest'] !== undefined ? { 'east-west': null } : {};
  return {
    id,
    workload,
    ...placeFrom(fields),
    ...(fields['health'] === undefined ? {} : { health: healthFrom(fields, id) }),
    app: addresses('app'),
    inbound,
    ...(fields['outbound'] === undefined ? {} : { outbound: addressFrom(fields['outbound'], 'outbound') }),
    ...(fields['outboundPorts'] === undefined ? {} : { outboundPorts: recordOf(fields, 'outboundPorts', portAddressFrom) }),
    ...(fields['capture'] === undefined ? {} : { capture: captureFrom(fields, id) }),
    ...(fields['eastWest'] === undefined ? {} : { eastWest: addressFrom(fields['eastWest'], 'eastWest') }),
    ...(fields['listeners'] === undefined ? {} : { listeners }),
    ...(fields['endpointOnly'] === undefined ? {} : { endpointOnly: booleanOf(fields, 'endpointOnly') }),
    ...(fields['away'] === undefined ? {} : { away: awayFrom(fields, id, { ...inbound, ...doors }) }),
  };
}

/** Ports that are not to be called for now. One that the instance does not have is a slip: it would be called all the same. */
function awayFrom(fields: Fields, id: string, known: object): readonly string[] {
  return listOf(fields, 'away').map((port) => {
    if (typeof port === 'string' && Object.hasOwn(known, port)) return port;
    throw new DecodeError(`\`away\` of \`${id}\` names what is no port of its \`inbound\`: \`${String(port).slice(0, 80)}\``);
  });
}

/** What an endpoint is beside where it listens. */
function placeFrom(fields: Fields): Pick<Instance, 'version' | 'network' | 'region' | 'zone' | 'subZone' | 'weight' | 'priority'> {
  const texts = (['version', 'network', 'region', 'zone', 'subZone'] as const).flatMap((key) => {
    const text = optionalTextOf(fields, key, 256);
    if (text !== undefined && Buffer.from(text).toString() !== text) throw new DecodeError(`\`${key}\` holds half a character`);
    return text === undefined ? [] : [[key, text] as const];
  });
  return { ...Object.fromEntries(texts), ...counted(fields, 'weight', 1, 1_000), ...counted(fields, 'priority', 0, 15) };
}

function sourceFrom(value: unknown, index: number): DnsSource {
  const what = `entry ${index} of \`dns\``;
  const fields = fieldsOf(value, what);
  const workload = textOf(fields, 'workload');
  if (!isWorkloadKey(workload)) throw new DecodeError(`\`workload\` of ${what} must be \`<namespace>/<name>\``);
  const nameFrom = (text: unknown): string => {
    if (typeof text !== 'string' || !isDnsName(text))
      throw new DecodeError(`${what} has a name that is none: \`${String(text).slice(0, 80)}\``);
    return text;
  };
  const name = fields['name'] === undefined ? undefined : nameFrom(fields['name']);
  const ports =
    fields['ports'] === undefined ? undefined : recordOf(fields, 'ports', (number, port) => wholeOf({ [port]: number }, port, 1, 65_535));
  const srv = fields['srv'] === undefined ? undefined : recordOf(fields, 'srv', nameFrom, 64);
  if (
    (name === undefined) !== (ports === undefined) ||
    (name === undefined && srv === undefined) ||
    Object.keys(ports ?? srv ?? {}).length === 0
  )
    throw new DecodeError(`${what} needs \`name\` with \`ports\`, or \`srv\``);
  return {
    workload,
    ...placeFrom(fields),
    ...(name === undefined ? {} : { name }),
    ...(ports === undefined ? {} : { ports }),
    ...(srv === undefined ? {} : { srv }),
  };
}

function counted(fields: Fields, key: 'weight' | 'priority', min: number, max: number): { readonly [key: string]: number } {
  return fields[key] === undefined ? {} : { [key]: wholeOf(fields, key, min, max) };
}

/** Envoy's messages have whole numbers only: of one endpoint that cannot be said, its service would have no news at all. */
function wholeOf(fields: Fields, key: string, min: number, max: number): number {
  const value = numberOf(fields, key, min, max);
  if (!Number.isInteger(value)) throw new DecodeError(`\`${key}\` must be a whole number`);
  return value;
}

function healthFrom(fields: Fields, id: string): Health {
  const health = healths.find((one) => one === fields['health']);
  if (health === undefined) throw new DecodeError(`\`health\` of \`${id}\` must be \`healthy\`, \`degraded\` or \`unhealthy\``);
  return health;
}
const healths: readonly Health[] = ['healthy', 'degraded', 'unhealthy'];

function captureFrom(fields: Fields, id: string): Capture {
  if (fields['listeners'] !== undefined)
    throw new DecodeError(`\`${id}\` is a gateway: nothing stands behind it whose connections could be captured`);
  const capture = fieldsOf(fields['capture'], `\`capture\` of \`${id}\``);
  const [inbound, outbound] = [addressFrom(capture['inbound'], 'capture.inbound'), addressFrom(capture['outbound'], 'capture.outbound')];
  const also = capture['outboundAlso'] === undefined ? undefined : addressFrom(capture['outboundAlso'], 'capture.outboundAlso');
  if (also !== undefined && (also.port !== outbound.port || isIP(also.host) === isIP(outbound.host)))
    throw new DecodeError(`\`capture.outboundAlso\` of \`${id}\` is the same port as \`outbound\`, on loopback of the other family`);
  if (inbound.port === outbound.port) throw new DecodeError(`\`capture\` of \`${id}\` needs two ports: one in, one out`);
  return { inbound, outbound, ...(also === undefined ? {} : { outboundAlso: also }) };
}

function ipFrom(value: unknown): string {
  if (typeof value === 'string' && isIP(value) !== 0) return value;
  throw new DecodeError(`\`alsoOfMesh\` has what is no IP address: \`${String(value).slice(0, 80)}\``);
}

function virtualFrom(fields: Fields): VirtualAddresses {
  const seen = new Map<string, string>();
  return recordOf(fields, 'virtual', (value, port): readonly Address[] => {
    assertPortKey(withoutBroker(port));
    if (!Array.isArray(value) || value.length === 0 || value.length > maxVirtual)
      throw new DecodeError(`\`virtual\` of \`${port}\` must be a list of 1 to ${maxVirtual} addresses`);
    return value.map((one) => {
      const address = addressFrom(one, `virtual.${port}`);
      const other = seen.get(`${address.host} ${address.port}`);
      // A connection to it could be meant for either.
      if (other !== undefined)
        throw new DecodeError(`\`${other}\` and \`${port}\` have one virtual address, ${address.host} port ${address.port}`);
      seen.set(`${address.host} ${address.port}`, port);
      return address;
    });
  });
}

function portAddressFrom(value: unknown, port: string): Address {
  assertPortKey(withoutBroker(port));
  return addressFrom(value, port);
}
const withoutBroker = (port: string): string => port.replace(/\|[A-Za-z0-9._-]{1,63}$/, '');
function assertPortKey(port: string): void {
  if (!/^[^.]+\.[a-z0-9-]{1,63}$/.test(port) || !isWorkloadKey(port.slice(0, port.lastIndexOf('.'))))
    throw new DecodeError(`\`${port.slice(0, 80)}\` must be \`<namespace>/<service>.<port name>\``);
}

function addressFrom(value: unknown, name: string): Address {
  const fields = fieldsOf(value, `the address \`${name}\``);
  const host = textOf(fields, 'host');
  if (isIP(host) === 0) throw new DecodeError(`the host of \`${name}\`, \`${host}\`, must be an IP address`);
  return { host: inOneSpelling(host), port: wholeOf(fields, 'port', 1, 65_535) };
}

/** IPv6 has many spellings for one address (RFC 5952); Envoy knows them for one, and refuses two listeners there. A zone (`%eth0`) stays as it is. */
function inOneSpelling(host: string): string {
  if (isIP(host) !== 6) return host;
  const [address = '', ...zone] = host.split('%');
  return [new URL(`http://[${address}]`).hostname.slice(1, -1), ...zone].join('%');
}

export interface InventoryWatch {
  current(): InventoryFile;
  /** Looks at the file now. */
  check(): Promise<void>;
  close(): void;
}

/**
 * Watches an inventory file. `onChange` gets each good inventory that differs from the one before; `onTrouble` each bad one, once. `kept` is the last
 * good one of an earlier run: it is in force until the file can be used. Without either, nothing is known. The folder is watched for speed and the file looked at every `pollMs` for certainty: file events get lost.
 */
export async function watchInventory(
  file: string,
  {
    onChange,
    onTrouble,
    pollMs = 1000,
    kept = null,
    mostBytes = longestFile,
  }: {
    readonly onChange: (inventory: InventoryFile) => void;
    readonly onTrouble: (outcome: Outcome<InventoryFile>) => void;
    readonly pollMs?: number;
    readonly kept?: InventoryFile | null;
    readonly mostBytes?: number;
  },
): Promise<InventoryWatch> {
  let current: InventoryFile = kept ?? { instances: [] };
  let seen: string | null = kept === null ? null : 'kept';
  if (kept !== null) onChange(kept);
  const look = async (): Promise<void> => {
    let text: string;
    try {
      text = await readTextUpTo(file, mostBytes);
    } catch (error) {
      // before there was one, its absence is nothing to say
      if (seen === null && isNotFound(error)) return;
      const reason = reasonOf(error);
      if (seen !== reason) onTrouble({ diagnostics: [enforce.badInventory({ file, reason })] });
      seen = reason;
      return;
    }
    const hash = createHash('sha256').update(text).digest('hex');
    if (hash === seen) return;
    seen = hash;
    const outcome = parseInventory(text, file);
    if (outcome.value === undefined) return onTrouble(outcome);
    current = outcome.value;
    onChange(current);
  };
  // A file that is written more often than it can be read is read as often as it can be.
  const looking = latestOnly(look);
  const check = (): Promise<void> => looking(undefined);
  await check();
  const timer = setInterval(() => void check(), pollMs);
  timer.unref();
  let watcher: fs.FSWatcher | null = null;
  try {
    watcher = fs.watch(path.dirname(file), { persistent: false }, (_event, name) => {
      if (name === path.basename(file)) void check();
    });
    watcher.on('error', () => undefined); // the timer sees to it
  } catch {
    // a file system without events: the timer sees to it
  }
  return {
    current: () => current,
    check,
    close() {
      clearInterval(timer);
      watcher?.close();
    },
  };
}
