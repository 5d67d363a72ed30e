/** What the SDK itself made, told by identity: nothing written by hand, cast or copied is ever taken for one of these. */
import type {
  CallerRef,
  Ref,
  WireClaim,
  WireDeployer,
  WireDestination,
  WireHashKey,
  WirePort,
  WireTextMatch,
  WireUser,
} from '../../core/declarations/declaration';
import { defineProperty, freeze, keysOf, secrets } from './intrinsics';
import type { Plain } from './plain';

export type Layer = 'http' | 'grpc' | 'tls' | 'tcp';

export interface MadePort {
  readonly kind: 'port';
  readonly ref: Ref;
  readonly owner: string;
  readonly protocol: string;
  readonly layer: Layer;
  /** The contract; null where there is none. */
  readonly requests: readonly string[] | null;
  readonly versions: readonly string[];
  /** A host at a gateway's listener: routed like a port, but not callable. */
  readonly atGateway: boolean;
  /** Of hosts outside the mesh. */
  readonly outside: boolean;
  /** Feature name if the thing the port belongs to is not in force in this version. */
  readonly unsupported: string | null;
}

/** `entry` is the number of the declaration that this handle stands for; the other kinds are parts of one, or values. */
export type Made =
  | { readonly kind: 'mesh'; readonly entry: number }
  | {
      readonly kind: 'namespace' | 'workload' | 'gateway' | 'east-west' | 'external' | 'issuer';
      readonly entry: number;
      readonly name: string;
      readonly owned: boolean;
    }
  | {
      readonly kind: 'service';
      readonly entry: number;
      readonly name: string;
      readonly owned: boolean;
      readonly versions: readonly string[];
    }
  | {
      readonly kind:
        | 'access'
        | 'route'
        | 'need'
        | 'standard'
        | 'guarantee'
        | 'waiver'
        | 'rollout'
        | 'patch'
        | 'limit'
        | 'deploy'
        | 'delegation'
        | 'export';
      readonly entry: number;
    }
  | MadePort
  | { readonly kind: 'version'; readonly ref: Ref; readonly name: string }
  | { readonly kind: 'portVersion'; readonly port: MadePort; readonly name: string }
  | { readonly kind: 'listener'; readonly ref: Ref }
  | { readonly kind: 'selection'; readonly tags: { readonly [tag: string]: string } }
  | { readonly kind: 'outside'; readonly name: string; readonly network: readonly string[] | null }
  | { readonly kind: 'outside-through'; readonly caller: CallerRef }
  | { readonly kind: 'anyone'; readonly except: readonly CallerRef[] }
  | { readonly kind: 'perEnv'; readonly values: { readonly [environment: string]: Plain }; readonly stack: string }
  | {
      readonly kind: 'mostlyEnv';
      readonly value: Plain;
      readonly except: { readonly [environment: string]: Plain };
      readonly stack: string;
    }
  | { readonly kind: 'hashKey'; readonly key: WireHashKey }
  | { readonly kind: 'text' | 'not'; readonly match: WireTextMatch }
  | { readonly kind: 'action'; readonly to: WireDestination; readonly stack: string }
  | { readonly kind: 'portSpec'; readonly port: WirePort; readonly outsideOnly: boolean }
  | { readonly kind: 'secret'; readonly name: string }
  | { readonly kind: 'deployer'; readonly deployer: WireDeployer }
  | { readonly kind: 'canary'; readonly versions: readonly string[] }
  | { readonly kind: 'claim'; readonly claim: WireClaim }
  | { readonly kind: 'user'; readonly user: WireUser }
  /** null: fetched. */
  | { readonly kind: 'jwks'; readonly keys: { readonly file: string } | { readonly url: string } }
  | { readonly kind: 'gate' | 'tools' };

const known = secrets<object, Made>();

/** What a value is, if the SDK made it. */
export const madeOf = (value: unknown): Made | undefined => (typeof value === 'object' && value !== null ? known.get(value) : undefined);

/** Freezes a handle and remembers what it is. */
export function make<T extends object>(handle: T, made: Made): Readonly<T> {
  known.set(handle, freeze(made));
  return freeze(handle);
}

/** How a made thing is called in a message to people. */
export function describeMade(made: Made): string {
  switch (made.kind) {
    case 'service':
    case 'workload':
    case 'namespace':
    case 'gateway':
    case 'external':
    case 'issuer':
      return `the ${made.kind} \`${made.name}\``;
    case 'east-west':
      return `the east-west gateway \`${made.name}\``;
    case 'port':
      return `the ${made.protocol} port \`${made.owner}\``;
    case 'version':
      return `the version \`${made.name}\``;
    case 'portVersion':
      return `version \`${made.name}\` of \`${made.port.owner}\``;
    case 'outside':
      return made.network === null ? '`internet`' : `the network \`${made.name}\``;
    case 'perEnv':
      return 'a value by environment';
    case 'portSpec':
      return 'a port that belongs to no service yet';
    case 'anyone':
      return '`anyone`';
    default:
      return `a value of kind \`${made.kind}\``;
  }
}

/** A method that is there to be called and not to be listed. */
export function hidden<T extends object>(target: T, methods: { readonly [name: string]: unknown }): T {
  for (const name of keysOf(methods)) defineProperty(target, name, { value: methods[name], enumerable: false });
  return target;
}
