/** Who comes to the gateway of a generated mesh: from which address, said by whom, with what certificate; and connections that go on whole there. */
import type { GatewayListener, MeshIr } from '../../core/ir/ir';
import type { WorkloadKey } from '../../core/mesh/ids';
import type { OutsideConnection } from '../../core/semantics/decide-connection';
import type { MeshRequest } from '../../core/semantics/decision';
import type { ProxyHeader } from './dial';
import { ownAddresses, saidAddresses } from './mesh-generator-gateway';
import type { Random } from './random';

/** How a client shows itself on the wire. */
export interface ClientWire {
  /** At a listener that asks for one; absent: in text. */
  readonly proxy?: ProxyHeader;
  /** Which certificate; absent: the first of its kind. */
  readonly shown?: string;
}
/** Certificates by what they are to a listener that asks for some. */
export const certificates = {
  valid: ['partner', 'other-partner'],
  invalid: ['stranger', 'of-the-mesh'],
} as const;

/** Which certificate a client shows that has one. */
export const shownBy = ({ shown }: ClientWire, kind: keyof typeof certificates): string => shown ?? certificates[kind][0];

type Outside = Extract<MeshRequest['from'], { kind: 'outside' }>;

/** Where a client comes from and what it shows. */
export function clientOf(random: Random, listener: GatewayListener | undefined): Pick<Outside, 'address' | 'certificate'> {
  const asked = listener?.speaks.kind === 'https' ? listener.speaks.clients : null;
  const shown = random.below(100);
  const certificate = shown < (asked?.required ? 65 : 25) ? 'valid' : shown < 85 && asked?.required !== false && asked ? null : 'invalid';
  return {
    address: random.pick(listener?.proxyProtocol && random.chance(60) ? saidAddresses : ownAddresses),
    ...(listener?.speaks.kind !== 'https' || certificate === null || (!asked && random.chance(80)) ? {} : { certificate }),
  };
}

/** How that goes over the wire. */
export function clientWire(
  random: Random,
  { address, certificate }: Pick<Outside, 'address' | 'certificate'>,
  listener: GatewayListener | undefined,
): ClientWire {
  const isOwn = address !== undefined && ownAddresses.includes(address);
  return {
    ...(listener?.proxyProtocol ? { proxy: random.pick<ProxyHeader>(isOwn ? ['v1', 'v2', 'local', 'unknown'] : ['v1', 'v2']) } : {}),
    ...(certificate ? { shown: random.pick(certificates[certificate]) } : {}),
  };
}

/** A listener whose connections go on whole. */
interface Whole {
  readonly gateway: WorkloadKey;
  readonly listener: GatewayListener;
  /** What is routed there. */
  readonly hosts: readonly string[];
}
/** All of them; none where nobody routes any. */
export function wholeListeners(ir: MeshIr): readonly Whole[] {
  const found = ir.gateways.flatMap(({ key: gateway, listeners }) =>
    listeners.flatMap((listener): Whole[] => {
      const tables = ir.hostConnections.filter((table) => table.gateway === gateway && table.listener === listener.name);
      const isWhole = listener.speaks.kind === 'tls' || listener.speaks.kind === 'tcp';
      return isWhole ? [{ gateway, listener, hosts: tables.map(({ host }) => host) }] : [];
    }),
  );
  return found.some(({ hosts }) => hosts.length > 0) ? found : [];
}

/** A connection to one of them. */
export function outsideConnectionOf(random: Random, { gateway, listener, hosts }: Whole): OutsideConnection {
  const names = hosts.length > 0 && random.chance(60) ? [random.pick(hosts).replace('*', random.pick(['x', 'x.y', 'X']))] : askedNames;
  return {
    ...{ gateway, listener: listener.name },
    sni: listener.speaks.kind === 'tls' ? random.pick(names) : null,
    ...clientOf(random, listener),
  };
}
const askedNames = [
  'a.tls.example',
  'A.TLS.example',
  'x.tls.example',
  'x.y.tls.example',
  'x.b.tls.example',
  'y.b.tls.example',
  'x.x.b.tls.example',
  'b.tls.example',
  'idle.tls.example',
  'tls.example',
  'other.example',
  null,
];
