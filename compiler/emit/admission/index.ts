/** Mesh IR in, the one AdmissionRules object of an environment out. See README.md beside this file. */
import { admissionRulesName, type AdmissionRulesSpec } from '../../../core/bundle/admission-rules';
import { meshNamespace } from '../../../core/bundle/custom-resource';
import { apiVersion, type AdmissionRules } from '../../../core/bundle/objects';
import { emit } from '../../../core/diagnostics/emit';
import type { Diagnostic, Outcome } from '../../../core/diagnostics/diagnostic';
import type { DeployRule, MeshIr, ProductRule, Service, Workload } from '../../../core/ir/ir';
import { sortedBy, sortedUnique } from '../../../core/lib/order';
import type { Range } from '../../../core/lib/version';
import { formatDeployer } from '../../../core/mesh/deploy-time';

/** The label that the webhook reads a pod's declared version from. */
const versionLabel = 'version';

/** What the webhook evaluates. There always is one: also without a rule it says which namespaces are policy's and which workloads are declared. */
export function emitAdmission(ir: MeshIr): Outcome<AdmissionRules> {
  const services = new Map(ir.services.map((service) => [service.key, service]));
  const namespaces = sortedUnique(ir.namespaces.map((namespace) => namespace.name));
  const deploys = sortedBy(ir.deploys, (rule) => rule.id).map(deployRule);
  const workloads = sortedBy(ir.workloads, (workload) => workload.key).map((workload) =>
    declaredWorkload(workload, services.get(workload.key)),
  );
  const products = sortedBy(ir.products, (rule) => rule.id).map(productRules);
  // an object in the Kubernetes API holds no empty list
  const spec = {
    environment: ir.environment,
    trustDomain: ir.trustDomain,
    ...(namespaces.length > 0 ? { namespaces } : {}),
    ...(deploys.length > 0 ? { deploys } : {}),
    ...(workloads.length > 0 ? { workloads } : {}),
    ...(products.length > 0 ? { products } : {}),
  } satisfies AdmissionRulesSpec;
  const metadata = { namespace: meshNamespace, name: admissionRulesName };
  return { value: { apiVersion, kind: 'AdmissionRules', metadata, spec }, diagnostics: otherLabels(ir) };
}

const range = ({ min, below }: Range) => ({ ...(min === null ? {} : { min }), ...(below === null ? {} : { below }) });

function deployRule({ id, mode, namespace, workloads, by, images, version }: DeployRule) {
  return {
    id,
    mode,
    namespace,
    ...(workloads === null ? {} : { workloads: sortedUnique(workloads) }),
    by: sortedBy(by, formatDeployer),
    ...(images === null ? {} : { images: { from: sortedUnique(images.from), digest: images.digest } }),
    ...(version === null ? {} : { version: { ...range(version), downgrade: version.downgrade } }),
  };
}

function declaredWorkload({ key, principal, serviceAccount, kind }: Workload, service: Service | undefined) {
  const versions = service?.versionLabel === versionLabel ? service.versions : [];
  return {
    workload: key,
    principal,
    serviceAccount,
    ...(versions.length > 0 ? { versions: sortedUnique(versions) } : {}),
    injected: runsInPods[kind],
  };
}
/** What runs in pods gets the agent and Envoy, a gateway's too. A workload on a machine of its own would not: policy declares none yet. */
const runsInPods: { readonly [kind in Workload['kind']]: boolean } = { service: true, workload: true, gateway: true, 'east-west': true };

function productRules({ id, mode, ranges, skew }: ProductRule) {
  return {
    id,
    mode,
    ranges: Object.fromEntries(ranges.map((one) => [one.product, range(one)])),
    ...(skew.length > 0 ? { skew: sortedBy(skew, (one) => `${one.of} ${one.behind} ${String(one.minor).padStart(2, '0')}`) } : {}),
  };
}

function otherLabels(ir: MeshIr): readonly Diagnostic[] {
  return ir.services
    .filter((service) => service.versions.length > 0 && service.versionLabel !== versionLabel)
    .map((service) => emit.versionLabel({ service: service.key, label: service.versionLabel }, { rule: service.id }));
}
