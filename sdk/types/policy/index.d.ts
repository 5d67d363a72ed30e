/**
 * meshwright/policy: the authoring surface. Types only; what it does is in sdk/policy, and sdk/policy/held.ts holds the two together.
 *
 * The one rule to read it by: **a method is an act on what you own, a function speaks about what anybody may name.**
 * `reviews.ports.web.allow(...)` needs the owner's handle; another team imports the same service as `share` gave it out, without the methods.
 *
 * Rules these types keep, so that they stay fast and readable:
 *  1. verbs are not generic: a rule is checked once, against an interface that its subject already fixed
 *  2. one interface for each layer (http, grpc, tls, tcp), looked up by protocol: no overloads, no conditional types over a user's literals
 *  3. nothing recursive, nothing mapped over a user's rule: the cost of a rule does not depend on the rules before it
 *  4. an alias is part of an error message: a template over a union prints its patterns (they teach the format), a union written out prints its name
 *  5. what a type cannot say well (weights that add up, a timeout under its retries, a host of another team) is left to `check`, in a sentence
 */
export * from './units';
export * from './names';
export * from './resilience';
export * from './settings';
export * from './targets';
export * from './identity';
export * from './access';
export * from './canary';
export * from './routes';
export * from './rollout';
export * from './deploy-time';
export * from './patch';
export * from './ports';
export * from './inventory';
export * from './gateways';
export * from './networks';
export * from './share';
export * from './waivers';
export * from './guarantees';
export * from './mesh';
