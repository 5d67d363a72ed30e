import type { DeployRule, DeploySpec } from './deploy-time';
import type { Namespace } from './inventory';
import type { kind } from './marks';
import type { Env, Scope } from './names';
import type { NonEmpty, OneOrMore } from './units';

export interface EastWestGatewaySpec {
  readonly serviceAccount: string;
  readonly port: number;
}
/** A gateway as anybody may name it. */
export interface AnyEastWestGateway extends Scope {
  readonly [kind]: 'east-west';
}
export interface EastWestGateway extends AnyEastWestGateway {
  deploys(rule: DeploySpec): DeployRule;
}
/** Stands before each network that an instance of it is in, and passes connections in as they are: what is exported through it, by name, and nothing else. */
export declare function eastWestGateway(namespace: Namespace, name: string, spec: EastWestGatewaySpec): EastWestGateway;
export interface ExportSpec {
  readonly through: OneOrMore<AnyEastWestGateway>;
  readonly only?: NonEmpty<Env>;
}
/** A port whose endpoints are reached from other networks too. Who may call it does not change: its own proxy decides, wherever the call comes from. */
export interface Export extends Scope {
  readonly [kind]: 'export';
}

export {};
