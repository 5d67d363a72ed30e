/** Whether somebody is one of those whom a rule names. Exact matches only. */
import type { DeployerMatch } from '../../core/bundle/admission-rules';
import { assertNever } from '../../core/lib/brand';
import type { UserInfo } from '../review/review';

/** What the token of a CI job proved; GitHub's names. */
export interface JobClaims {
  readonly repository: string;
  /** `refs/heads/main` */
  readonly ref: string;
  readonly environment: string | null;
}

/** Deployers as sets, so that a long list costs no more than a short one. */
export interface Deployers {
  has(user: UserInfo, job: JobClaims | null): boolean;
}

export function deployersOf(matches: readonly DeployerMatch[]): Deployers {
  const users = new Set<string>();
  const groups = new Set<string>();
  const jobs = matches.filter((match) => match.kind === 'github');
  for (const match of matches) {
    switch (match.kind) {
      case 'user':
        users.add(match.name);
        break;
      case 'group':
        groups.add(match.name);
        break;
      case 'account':
        users.add(`system:serviceaccount:${match.namespace}:${match.name}`);
        break;
      case 'github':
        break;
      default:
        assertNever(match);
    }
  }
  return {
    has: (user, job) =>
      users.has(user.username) ||
      user.groups.some((group) => groups.has(group)) ||
      (job !== null &&
        jobs.some(
          ({ repository, branch, environment }) =>
            job.repository === repository &&
            job.ref === `refs/heads/${branch}` &&
            (environment === undefined || job.environment === environment),
        )),
  };
}
