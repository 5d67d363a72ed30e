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

/** Where the API server puts a job's claims when it authenticates the job itself (AuthenticationConfiguration, `claimMappings.extra`). */
const claimKeys = {
  repository: 'meshwright.dev/repository',
  ref: 'meshwright.dev/ref',
  environment: 'meshwright.dev/environment',
} as const;

/**
 * The CI job that a user is: one whom the API server authenticated by the job's own token. Its username begins with the prefix that the API server's
 * configuration gives to that issuer alone; extra of any other user proves nothing. null: it is no job.
 */
export function jobOf(user: UserInfo, usernamePrefix: string | null): JobClaims | null {
  if (usernamePrefix === null || !user.username.startsWith(usernamePrefix)) return null;
  const claim = (key: string): string | null => {
    const values = user.extra?.get(key) ?? [];
    return values.length === 1 && values[0] !== undefined && values[0] !== '' ? values[0] : null;
  };
  const [repository, ref] = [claim(claimKeys.repository), claim(claimKeys.ref)];
  return repository === null || ref === null ? null : { repository, ref, environment: claim(claimKeys.environment) };
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
