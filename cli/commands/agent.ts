import { runAgent, type AgentConfig } from '../../runtime-proxy/agent/main';
import { agentConfigFrom } from '../../runtime-proxy/agent/kubernetes-config';
import { UsageError, type Run } from '../command';
import { decodeConfig } from '../config';
import { onStop, serveUntilStopped, started } from '../serving';

function inPod(): AgentConfig {
  try {
    return agentConfigFrom(process.env);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** `meshwright agent`: one workload's identity and Envoy. Ends with 2 when Envoy cannot be kept running. */
export const run: Run = async (context, values) => {
  const starting = new AbortController();
  const ready = onStop(() => starting.abort());
  const config = values.flag('kubernetes') ? inPod() : await decodeConfig<AgentConfig>('agent', values);
  const agent = await started(runAgent(config, { signal: starting.signal }));
  ready();
  const served = serveUntilStopped(context, agent, { instance: agent.instance, adminUrl: agent.adminUrl, adminSocket: agent.adminSocket });
  const failed = agent.failed.then(async (why) => {
    context.out.note(`meshwright: ${why}`);
    await agent.close();
    return 2 as const;
  });
  return Promise.race([served, failed]);
};
