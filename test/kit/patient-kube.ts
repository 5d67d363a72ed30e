/** The Kubernetes API for a test itself, which gives up no answer: the API server shares a machine that may be busy, or stand still for a while. */
import { kubeFromFile, type Kube } from '../../platform/kube';

export const patientKube = (kubeconfig: string): Promise<Kube> => kubeFromFile(kubeconfig, { leastMs: 180_000 });
