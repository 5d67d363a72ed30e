/** Whether a failure of each path denies or lets in: read from the very configurations that the API server calls us by. */
import { resources, type Kube, type KubeObject } from '../../platform/kube';
import type { Log } from '../../platform/log';
import { memberOf } from '../review/json';

export interface FailModes {
  /** By path; true: a failure denies. Paths that no configuration names are absent. */
  current(): ReadonlyMap<string, boolean>;
  close(): void;
}

/** Looks at the webhook configurations of one name, validating and mutating, now and then: it may get these two and no others. */
export function followFailModes(kube: Kube, name: string, log: Log, everyMs: number): FailModes {
  let modes: ReadonlyMap<string, boolean> = new Map();
  let told = false;
  const look = async (): Promise<void> => {
    try {
      const both = await Promise.all(
        [resources.validatingWebhooks, resources.mutatingWebhooks].map((resource) => kube.get(resource, { name })),
      );
      modes = failModesIn(both.filter((configuration) => configuration !== null));
      told = false;
    } catch (error) {
      if (!told) log.warn({ err: error }, 'cannot see how the API server calls this webhook');
      told = true;
    }
  };
  void look();
  const timer = setInterval(() => void look(), everyMs);
  timer.unref();
  return { current: () => modes, close: () => clearInterval(timer) };
}

/** By path; one webhook that fails open is enough for its path to count as open. */
export function failModesIn(configurations: readonly KubeObject[]): ReadonlyMap<string, boolean> {
  const modes = new Map<string, boolean>();
  for (const configuration of configurations) {
    const webhooks = configuration['webhooks'];
    for (const webhook of Array.isArray(webhooks) ? webhooks : []) {
      const path = pathOf(memberOf(webhook, 'clientConfig'));
      if (path === null) continue;
      const closed = (memberOf(webhook, 'failurePolicy') ?? 'Fail') === 'Fail';
      modes.set(path, closed && (modes.get(path) ?? true));
    }
  }
  return modes;
}

function pathOf(client: unknown): string | null {
  const path = memberOf(memberOf(client, 'service'), 'path');
  if (typeof path === 'string') return path;
  const url = memberOf(client, 'url');
  return typeof url === 'string' && URL.canParse(url) ? new URL(url).pathname : null;
}
