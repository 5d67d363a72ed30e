/** The roots in a ConfigMap of every namespace, as kube-root-ca.crt is: agents start from it. Public, so nothing is gained by choosing namespaces. */
import { trustConfigMap } from '../../core/mesh/pod';
import { reasonOf } from '../../core/lib/reason';
import { resources, type Kube } from '../../platform/kube';
import type { Log } from '../../platform/log';
import { fieldsOf } from '../rpc/decode';

export interface TrustPublisher {
  /** Resolves when every namespace has it for the first time. */
  readonly published: Promise<void>;
  close(): void;
}

const fieldManager = 'meshwright-ca';
const againMs = 2_000;

/** Keeps the ConfigMap in every namespace that is not going away; what somebody changes or deletes is put back, for as long as these are the roots. */
export function publishTrust(kube: Kube, trust: string, areRoots: () => boolean, log: Log): TrustPublisher {
  const { name, key } = trustConfigMap;
  let closed = false;
  let running = false;
  let again = false;
  let timer: NodeJS.Timeout | undefined;
  let markPublished: () => void = () => undefined;
  const published = new Promise<void>((resolve) => (markPublished = resolve));
  const onTrouble = (error: Error): void => log.warn({ reason: error.message }, 'cannot see where the trust bundle has to be');
  const namespaces = kube.follow(resources.namespaces, { onTrouble }, look);
  const maps = kube.follow(resources.configMaps, { fieldSelector: `metadata.name=${name}`, onTrouble }, look);

  function look(): void {
    if (running) again = true;
    else void run();
  }
  async function run(): Promise<void> {
    running = true;
    await Promise.all([namespaces.synced, maps.synced]);
    do {
      again = false;
      const failed = await publish();
      if (closed) break;
      if (!failed) markPublished();
      else timer ??= setTimeout(() => ((timer = undefined), look()), againMs).unref();
    } while (again);
    running = false;
  }
  async function publish(): Promise<boolean> {
    let failed = false;
    for (const [namespace, { metadata }] of [...namespaces.items()]) {
      if (closed || !areRoots()) return failed;
      if (metadata.deletionTimestamp !== undefined || hasIt(namespace)) continue;
      try {
        await kube.apply(resources.configMaps, { metadata: { namespace, name }, data: { [key]: trust } }, { fieldManager, force: true });
      } catch (error) {
        if (namespaces.items().get(namespace)?.metadata.deletionTimestamp !== undefined) continue;
        failed = true;
        log.warn({ namespace, reason: reasonOf(error) }, 'cannot publish the trust bundle');
      }
    }
    return failed;
  }
  const hasIt = (namespace: string): boolean => fieldsOf(maps.items().get(`${namespace}/${name}`)?.['data'] ?? {}, '`data`')[key] === trust;
  return {
    published,
    close() {
      closed = true;
      clearTimeout(timer);
      namespaces.close();
      maps.close();
    },
  };
}
