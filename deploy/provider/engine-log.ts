/** Lines in Pulumi's own output, by the engine's Log RPC. */
import { credentials } from '@grpc/grpc-js';
import { EngineClient } from '@pulumi/pulumi/proto/engine_grpc_pb';
import { LogRequest, LogSeverity } from '@pulumi/pulumi/proto/engine_pb';
import type { Teller } from './resource';

/** Tells for a resource. Lines keep their order; a line that cannot be delivered is dropped, it must not fail an update. */
export interface EngineLog {
  for(urn: string): Teller;
  /** Resolves when all lines are delivered. */
  flush(): Promise<void>;
}

export function engineLog(address: string | undefined): EngineLog {
  if (address === undefined) {
    const silent: Teller = { say: () => undefined, warn: () => undefined, show: () => undefined };
    return { for: () => silent, flush: () => Promise.resolve() };
  }
  const client = new EngineClient(address, credentials.createInsecure());
  let last: Promise<void> = Promise.resolve();
  const log = (urn: string, severity: LogSeverity, message: string, ephemeral: boolean): void => {
    const request = new LogRequest();
    request.setUrn(urn);
    request.setSeverity(severity);
    request.setMessage(message);
    request.setEphemeral(ephemeral);
    last = last.then(() => new Promise<void>((resolve) => void client.log(request, () => resolve())));
  };
  return {
    for: (urn) => ({
      say: (line) => log(urn, LogSeverity.INFO, line, false),
      warn: (line) => log(urn, LogSeverity.WARNING, line, false),
      show: (line) => log(urn, LogSeverity.INFO, line, true),
    }),
    flush: () => last,
  };
}
