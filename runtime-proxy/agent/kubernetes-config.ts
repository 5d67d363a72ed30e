/** The agent's configuration in a pod: from the environment that the injected sidecar has, which the downward API fills in part. */
import { agentEnvironment as variable, agentHealthPort } from '../../core/mesh/pod';
import { instanceIdOf } from '../ca/spiffe';
import { isXdsProtocol } from './bootstrap';
import type { AgentConfig } from './main';

export type Environment = { readonly [name: string]: string | undefined };

/** Throws with one line that names every variable that is missing or wrong. */
export function agentConfigFrom(environment: Environment): AgentConfig {
  const wrong: string[] = [];
  const need = (name: string): string => {
    const value = environment[name] ?? '';
    if (value === '') wrong.push(`\`${name}\` is missing`);
    return value;
  };
  const count = (name: string, most: number): number | undefined => {
    const value = environment[name] ?? '';
    if (value === '') return undefined;
    const number = Number(value);
    if (/^\d+$/.test(value) && number >= 1 && number <= most) return number;
    wrong.push(`\`${name}\` is not a whole number from 1 to ${most}`);
    return undefined;
  };
  const place = (name: string): { readonly host: string; readonly port: number } => {
    const text = need(name);
    const [, v6, other, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
    if (text !== '' && digits === undefined) wrong.push(`\`${name}\` is not \`<host>:<port>\``);
    return { host: v6 ?? other ?? '', port: Number(digits ?? 0) };
  };
  const [pod, namespace, podIp, workload] = [
    need(variable.podName),
    need(variable.podNamespace),
    need(variable.podIp),
    need(variable.workload),
  ];
  const controlPlane = place(variable.controlPlane);
  place(variable.ca);
  const concurrency = count(variable.concurrency, 64);
  const drainMs = count(variable.drainMs, 3_600_000);
  const healthPort = count(variable.healthPort, 65_535) ?? agentHealthPort;
  const envoyLogLevel = environment[variable.envoyLogLevel] ?? '';
  const xds = environment[variable.xds] ?? '';
  const certificatesDir = environment[variable.certificatesDir] ?? '';
  if (xds !== '' && !isXdsProtocol(xds)) wrong.push(`\`${variable.xds}\` is neither \`delta\` nor \`state-of-the-world\``);
  const config: AgentConfig = {
    instance: instanceIdOf(pod, namespace),
    workload,
    trustDomain: need(variable.trustDomain),
    controlPlane,
    ca: { address: need(variable.ca), trustFile: need(variable.trustFile) },
    serviceAccountTokenFile: need(variable.tokenFile),
    runDir: need(variable.runDir),
    // The node's kubelet asks from outside the pod.
    admin: { host: podIp, port: healthPort },
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(drainMs === undefined ? {} : { drainMs }),
    ...(envoyLogLevel === '' ? {} : { envoyLogLevel }),
    ...(isXdsProtocol(xds) ? { xds } : {}),
    ...(certificatesDir === '' ? {} : { certificatesDir }),
  };
  if (wrong.length > 0) throw new Error(`${[...new Set(wrong)].join('; ')}: \`--kubernetes\` is for the sidecar that the webhook puts in`);
  return config;
}
