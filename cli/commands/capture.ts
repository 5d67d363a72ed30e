import { agentHealthPort, podCapture } from '../../core/mesh/pod';
import { nameServersOf } from '../../platform/name-servers';
import { applyCapture, CaptureRefused, removeCapture } from '../../runtime-proxy/capture/apply';
import { faultIn, rulesetOf, type CaptureRules } from '../../runtime-proxy/capture/rules';
import { UsageError, type Run } from '../command';
import type { Values } from '../values';

/** `meshwright capture`: from now on the connections of this network namespace go through its proxy. */
export const run: Run = async (context, values) => {
  const nft = values.text('nft');
  try {
    if (values.flag('remove')) {
      await removeCapture(nft);
      context.out.line('nothing is captured in this network namespace any more');
      context.out.document({ ok: true, captured: false });
      return 0;
    }
    const rules = await rulesFrom(values);
    if (values.flag('print')) {
      const fault = faultIn(rules);
      if (fault !== null) throw new UsageError(fault);
      context.out.text(rulesetOf(rules));
      context.out.document({ ok: true, ruleset: rulesetOf(rules) });
      return 0;
    }
    await applyCapture(rules, nft);
    const { inboundPort, outboundPort, openInbound } = rules;
    context.out.line(
      `captured: what arrives goes to port ${inboundPort} of the proxy, what leaves to ${outboundPort}; past it only to ${openInbound.join(', ')}`,
    );
    context.out.document({ ok: true, captured: true, rules });
    return 0;
  } catch (error) {
    if (error instanceof CaptureRefused) throw new UsageError(error.message);
    throw error;
  }
};

async function rulesFrom(values: Values): Promise<CaptureRules> {
  const [uid, gid] = [values.count('uid'), values.count('gid')];
  const servers = values.many('nameServer');
  const open = values.many('openInbound').map(Number);
  return {
    inboundPort: values.count('inbound', 1) ?? podCapture.inboundPort,
    outboundPort: values.count('outbound', 1) ?? podCapture.outboundPort,
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
    openInbound: [agentHealthPort, ...open],
    nameServers: servers.length > 0 ? servers : await nameServersOf(),
    refuseUdp: values.flag('refuseUdp'),
  };
}
