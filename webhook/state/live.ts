/** What the followed Release and AdmissionRules say, read as the adjudicators need it. */
import { meshNamespace, resourceName, signedReleaseOf } from '../../core/bundle/custom-resource';
import { admissionRulesName } from '../../core/bundle/admission-rules';
import type { ReleaseSet, SignedRelease } from '../../core/bundle/objects';
import { signedObjectIn } from '../../core/bundle/parts';
import { digestOfJson } from '../../core/lib/digest';
import { phaseOf } from '../admit/release';
import type { LiveSets, RulesInForce, Trusted } from '../admit/context';
import { rulesIndex, type RulesIndex } from '../admit/rules-index';
import type { SignatureCache } from '../admit/signatures';
import { admissionRulesSpec } from './rules-form';
import { lineOf } from './followed-file';

/** The live release with what its sets name in the API. `since`: the generation that put its set in force there. Throws when it cannot be read. */
export function liveSetsOf(resource: unknown): LiveSets & { readonly inForce: ReleaseSet; readonly since: number } {
  const { release }: SignedRelease = signedReleaseOf(resource);
  const digest = digestOfJson(release);
  const converged = phaseOf(resource, digest) === 'converged';
  return {
    digest,
    generation: release.generation,
    stable: release.stable,
    candidate: release.candidate,
    stableResources: resourcesOf(release.stable),
    candidateResources: resourcesOf(release.candidate),
    inForce: converged ? release.candidate : release.stable,
    // Its stable set is what was in force before it.
    since: converged ? release.generation : release.generation - 1,
  };
}

function resourcesOf(set: ReleaseSet): ReadonlySet<string> {
  return new Set(
    Object.entries(set).map(([name, digest]) => {
      const [kind = '', namespace = '', own = ''] = name.split('/');
      return `${kind}/${namespace}/${resourceName(own, digest)}`;
    }),
  );
}

const rulesName = `AdmissionRules/${meshNamespace}/${admissionRulesName}`;
/** `meshwright/rules.<digest>` of the rules that a set names; null when it names none. */
function rulesKeyIn(set: ReleaseSet): string | null {
  const digest = Object.hasOwn(set, rulesName) ? set[rulesName] : undefined;
  return digest === undefined ? null : `${meshNamespace}/${resourceName(admissionRulesName, digest)}`;
}

/** The rules that a set names, from what lies in the API (in parts, when they are many), verified. */
export async function rulesFrom(
  resources: ReadonlyMap<string, unknown>,
  set: ReleaseSet,
  environment: string,
  trust: Trusted,
  signatures: SignatureCache,
): Promise<RulesInForce> {
  const unknown = (reason: string): RulesInForce => ({ kind: 'unknown', reason });
  const key = rulesKeyIn(set);
  if (key === null) return { kind: 'none' };
  const group = [...resources].flatMap(([name, resource]) => (name === key || name.startsWith(`${key}.part-`) ? [resource] : []));
  if (group.length === 0) return unknown(`\`${key}\` is not there`);
  let index: RulesIndex;
  try {
    const { signed, environment: claimed } = signedObjectIn(group);
    const { value, diagnostics } = await signatures.verify(signed, claimed, trust, 'live');
    if (value === undefined) return unknown(diagnostics[0]?.message ?? 'they do not verify');
    if (claimed !== environment) return unknown(`they are for environment \`${claimed}\``);
    if (signed.digest !== set[rulesName]) return unknown('they are not what the release names');
    const spec = admissionRulesSpec(value.spec);
    if (spec.environment !== environment) return unknown(`they are about environment \`${spec.environment}\``);
    index = rulesIndex(spec);
  } catch (error) {
    return unknown(lineOf(error));
  }
  return { kind: 'known', index };
}
