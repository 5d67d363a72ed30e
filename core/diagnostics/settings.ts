/** MW305x: settings of retries, limits, ejection, health, balancing and nearness that cannot mean what they say. */
import { defineDiagnostic } from './diagnostic';

export const settings = {
  badSetting: defineDiagnostic<{ field: string; why: string; repair: string }>({
    code: 'MW3050',
    slug: 'bad-setting',
    severity: 'error',
    summary: 'a setting means something to a proxy',
    message: ({ field, why }) => `\`${field}\` ${why}`,
    help: ({ repair }) => repair,
  }),
  twoRetryLimits: defineDiagnostic<{ port: string; retries: number }>({
    code: 'MW3051',
    slug: 'two-retry-limits',
    severity: 'error',
    summary: 'retries are limited by a share or by a count, since a proxy keeps one of them',
    message: ({ port, retries }) => `a retry has a \`budget\`, and \`${port}\` limits retries to ${retries} at once`,
    help: () => 'keep `budget`, or `connections.retries`',
  }),
  twoHashKeys: defineDiagnostic<{ ports: readonly string[] }>({
    code: 'MW3052',
    slug: 'two-hash-keys',
    severity: 'error',
    summary: 'the destinations of one rule are chosen by one key, since a request has one hash',
    message: ({ ports }) =>
      `this rule leads to ports that are balanced by different keys: ${ports.map((port) => `\`${port}\``).join(', ')}`,
    help: () => 'balance them by the same key, or give each a rule of its own',
  }),
  stickyElsewhere: defineDiagnostic<{ port: string; sticky: string }>({
    code: 'MW3054',
    slug: 'sticky-elsewhere',
    severity: 'error',
    summary: 'what keeps a user with a destination and what keeps them with an endpoint are the same, since a request has one hash',
    message: ({ port, sticky }) => `this split is sticky by ${sticky}, and \`${port}\` is balanced by another key`,
    help: () => 'balance by the same header or cookie, or let the mesh issue the cookie of the split',
  }),
  noPortToCheck: defineDiagnostic<{ service: string; by: string; speaks: string }>({
    code: 'MW3053',
    slug: 'no-port-to-check',
    severity: 'error',
    summary: 'a health check speaks the protocol of a port',
    message: ({ service, by, speaks }) => `\`health\` checks by ${by}, and no port of \`${service}\` speaks ${speaks}`,
    help: () => "check by what a port speaks, or write `tcp: 'connect'`",
  }),
};
