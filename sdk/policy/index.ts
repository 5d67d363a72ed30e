/** `meshwright/policy` as it runs in the sandbox. What authors see while typing is sdk/types/policy; held.ts holds the two together. */
export { anyRequest } from './access';
export { canary, errorRate, latency } from './canary';
export { githubActions, group, kubernetesAccount, kubernetesUser } from './deploy-time';
export { external, gateway, secret } from './gateways';
export { always, never, onlyThrough } from './guarantees';
export { claim, issuer, jwks } from './identity';
export { namespace, service, workload } from './inventory';
export { defineMesh } from './mesh';
export { eastWestGateway } from './networks';
export { mostly, per } from './per-environment';
export { amqp, grpc, grpcs, http, http2, https, kafka, mongo, mysql, postgres, redis, tcp, tls, websocket } from './port-specs';
export { cookie, header, queryParameter, source } from './resilience';
export { redirect, respond, respondGrpc, routeUnder, split } from './routes';
export { share } from './share';
export { anyone, internet, network, tagged } from './subjects';
export { not, pattern, prefix, present } from './text-matches';
export { waive } from './waivers';
