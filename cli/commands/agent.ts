import { runAgent, type AgentConfig } from '../../runtime-proxy/agent/main';
import type { Run } from '../command';
import { decodeConfig } from '../config';
import { serveUntilStopped, started } from '../serving';

/** `meshwright agent`: one workload's identity and Envoy. Ends with 2 when Envoy cannot be kept running. */
export const run: Run = async (context, values) => {
  const starting = new AbortController();
  const stop = (): void => starting.abort();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, stop);
  const agent = await started(runAgent(await decodeConfig<AgentConfig>('agent', values), { signal: starting.signal }));
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.removeListener(name, stop);
  const served = serveUntilStopped(context, agent, { instance: agent.instance, adminUrl: agent.adminUrl, adminSocket: agent.adminSocket });
  const failed = agent.failed.then(async (why) => {
    context.out.note(`meshwright: ${why}`);
    await agent.close();
    return 2 as const;
  });
  return Promise.race([served, failed]);
};
