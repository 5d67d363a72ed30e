/** Where a sidecar or volume that came back differs from what the template gives: nowhere, but for what the cluster's own admission may add. */
import { isFields, own, type Fields } from './pod';
import type { OwnContainer } from './template';

/** The first place where `actual` is not `wanted`, as a path; null when it is the same. Order of members does not count. */
export function difference(wanted: unknown, actual: unknown, path: string): string | null {
  if (wanted === actual) return null;
  if (Array.isArray(wanted) && Array.isArray(actual)) {
    for (let index = 0; index < Math.max(wanted.length, actual.length); index += 1) {
      const found = difference(wanted[index], actual[index], `${path}[${index}]`);
      if (found !== null) return found;
    }
    return null;
  }
  if (isFields(wanted) && isFields(actual)) {
    for (const name of new Set([...Object.keys(wanted), ...Object.keys(actual)])) {
      const found = difference(own(wanted, name), own(actual, name), `${path}.${name}`);
      if (found !== null) return found;
    }
    return null;
  }
  return path;
}

/**
 * The same for the sidecar, less what the API server's own plugins do to every container: AlwaysPullImages sets the pull policy, and LimitRanger adds
 * amounts that the template does not speak of.
 */
export function sidecarDifference(wanted: OwnContainer, actual: Fields, path: string): string | null {
  const resources = own(actual, 'resources');
  const amounts = (kind: 'limits' | 'requests'): unknown => {
    const all = isFields(resources) ? own(resources, kind) : undefined;
    if (!isFields(all)) return all;
    return Object.fromEntries(Object.entries(all).filter(([name]) => Object.hasOwn(wanted.resources[kind], name)));
  };
  const plain = {
    ...actual,
    imagePullPolicy: wanted.imagePullPolicy,
    resources: { limits: amounts('limits'), requests: amounts('requests') },
  };
  return difference(wanted, plain, path);
}
