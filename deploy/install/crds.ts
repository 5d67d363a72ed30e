/** The kinds that the API server has to know before anything else. */
import type { KubernetesObject } from './object';

export const customResourceDefinitions: readonly KubernetesObject[] = [];
