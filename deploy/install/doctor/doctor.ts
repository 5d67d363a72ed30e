/** Can this installation lock itself or its cluster out, does it leave something open, is it healthy? Pure: what it looks at was read before. */
import type { Diagnostic, Severity } from '../../../core/diagnostics/diagnostic';
import { install } from '../../../core/diagnostics/install';
import { examineCertificates } from './certificates';
import { examineLockout } from './lockout';
import { examineRights } from './rights';
import { examineRunning } from './running';
import type { ClusterSnapshot } from './snapshot';

const order: Readonly<Record<Severity, number>> = { error: 0, warning: 1, info: 2 };

/** Every finding, the worst first. An error blocks: the cluster is locked, can lock itself, or lets something in unseen. */
export function examine(snapshot: ClusterSnapshot): readonly Diagnostic[] {
  return [
    ...examineLockout(snapshot),
    ...examineCertificates(snapshot),
    ...examineRunning(snapshot),
    ...examineRights(snapshot),
    ...snapshot.unread.map(({ kind, reason }) => install.unread({ what: `\`${kind}\``, reason })),
  ].toSorted((a, b) => order[a.severity] - order[b.severity] || (a.code < b.code ? -1 : a.code > b.code ? 1 : 0));
}
