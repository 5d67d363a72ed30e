import { objectName } from '../../core/bundle/objects';
import { digestOfJson } from '../../core/lib/digest';
import { obtainEnvoy } from '../../platform/tools/envoy';
import { validateProxies } from '../../runtime-proxy/validate';
import { ok, refused } from '../reconcile/deps';
import type { Validate } from './deps';

/** Envoy's own judgement on every shape that changes, before any live proxy sees it. An Envoy that cannot be had is trouble of ours, not of the commit. */
export const envoyValidation: Validate = async ({ objects }, previous) => {
  const before = previous?.release[previous.inForce] ?? {};
  const changed = new Set(objects.filter((object) => before[objectName(object)] !== digestOfJson(object)).map(objectName));
  if (changed.size === 0) return ok(null);
  const envoyPath = await obtainEnvoy();
  const { value, diagnostics } = await validateProxies({ objects, changed, envoyPath });
  return value ? ok(null, diagnostics) : refused(...diagnostics);
};
