/** The control plane's admin API, as far as a deployment needs it: what goes wrong is thrown, as diagnostics. */
import type { SignedObject, SignedRelease } from '../../core/bundle/objects';
import type { RolloutStatus } from '../../core/bundle/status';
import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { deploy } from '../../core/diagnostics/deploy';
import { adminApi, isStatus, type AdminAnswer, type AdminTarget } from '../../platform/admin-client/client';

/** What went wrong, as diagnostics; `refused` when the control plane understood and said no. */
export class AdminError extends Error {
  override readonly name = 'AdminError';
  constructor(
    readonly kind: 'refused' | 'unreachable',
    readonly diagnostics: readonly Diagnostic[],
  ) {
    super(diagnostics.map((d) => `${d.code}: ${d.message}`).join('; '));
  }
}

export interface AdminClient {
  putObject(object: SignedObject): Promise<void>;
  hasObject(digest: string): Promise<boolean>;
  /** `kept`: it is in force, so it stays. `absent`: it was not there. */
  deleteObject(digest: string): Promise<'deleted' | 'kept' | 'absent'>;
  putRelease(release: SignedRelease): Promise<void>;
  /** The live release; null when there is none yet. */
  release(): Promise<SignedRelease | null>;
  status(): Promise<RolloutStatus>;
  /** Each status as it comes, until the connection ends. */
  watch(signal: AbortSignal): AsyncGenerator<RolloutStatus>;
}

export function adminClient(target: AdminTarget): AdminClient {
  const api = adminApi(target);
  const thrown = (answer: Exclude<AdminAnswer<unknown>, { kind: 'ok' }>): AdminError => {
    const { kind, reason, diagnostics } = answer;
    if (diagnostics.length > 0) return new AdminError(kind, diagnostics);
    return new AdminError(kind, [
      kind === 'refused' ? deploy.releaseRefused({ reason }) : deploy.unreachable({ url: target.adminUrl, reason }),
    ]);
  };
  const demand = async <T>(asked: Promise<AdminAnswer<T>>): Promise<T> => {
    const answer = await asked;
    if (answer.kind !== 'ok') throw thrown(answer);
    return answer.value;
  };
  return {
    putObject: async (object) => void (await demand(api.putObject(object))),
    hasObject: (digest) => demand(api.hasObject(digest)),
    deleteObject: (digest) => demand(api.deleteObject(digest)),
    putRelease: async (release) => void (await demand(api.putRelease(release))),
    release: () => demand(api.release()),
    status: () => demand(api.status()),
    async *watch(signal) {
      const events = api.events('/v1/status?watch=1', signal);
      for (;;) {
        const next = await events.next();
        if (next.done) {
          if (next.value) throw thrown(next.value);
          return;
        }
        if (isStatus(next.value)) yield next.value;
      }
    },
  };
}
