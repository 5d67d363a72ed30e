import type { envValue, identity, kind, names, scope } from './marks';
import type { AtLeastOne, NonEmpty } from './units';

/** The repository's own names (environments, teams, tags; declared once, in mesh.policy.ts), and what can be named at all. */
/** Augmented once for each repository: `declare module 'meshwright/policy' { interface Register { mesh: typeof mesh } }`. */
export interface Register {}
export interface MeshNames {
  readonly env: string;
  readonly team: string;
  readonly tags: { readonly [tag: string]: string };
}
/** What carries the repository's names: its mesh. */
export interface Named<out N extends MeshNames = MeshNames> {
  readonly [names]: N;
}
type Registered = Register extends { readonly mesh: Named<infer N> } ? N : MeshNames;
export type Env = Registered['env'];
export type Team = Registered['team'];
export type Tags = { readonly [K in keyof Registered['tags']]?: Registered['tags'][K] };

export interface PerEnv<out T> {
  readonly [kind]: 'perEnv';
  readonly [envValue]: T;
}
export type OrPerEnv<T> = T | PerEnv<T>;
export type EveryEnv<T> = { readonly [E in Env]: T };
export type SomeEnvs<T> = { readonly [E in Env]?: T };
/** One value for each environment; a new environment makes each of these an error until somebody answers. T comes from the field it stands in. */
export declare function per<T>(values: EveryEnv<NoInfer<T>>): PerEnv<T>;
/** `mostly('3s', { prod: '1s' })`: a second name and not an overload, so that a forgotten environment is never told "add a default". */
export declare function mostly<T>(value: NoInfer<T>, except: AtLeastOne<SomeEnvs<NoInfer<T>>>): PerEnv<T>;

/** Anything with one owner that a standard, a guarantee, a waiver or a roll-out can be about. */
export interface Scope {
  readonly [kind]: string;
  readonly [scope]: true;
}
/** Someone whose identity a proxy can prove: exact SPIFFE ids, never a pattern over names. */
export interface Caller {
  readonly [identity]: 'identified';
}
/** Everybody, known or not: for guarantees and denials; an allow never takes it. */
export interface Anyone {
  readonly [identity]: 'anyone';
  except(...callers: NonEmpty<Caller>): Anyone;
}
export declare const anyone: Anyone;

export {};
