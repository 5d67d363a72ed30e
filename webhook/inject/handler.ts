/** The mutating side of the webhook: a decoded review in, its answer out. The server adds the envelope (uid, base64 of the patch). */
import { inject, type InjectionContext, type PatchOperation } from './inject';

/** Of an AdmissionRequest what injection looks at. */
export interface MutationRequest {
  readonly operation: string;
  readonly resource: { readonly group: string; readonly resource: string };
  readonly subResource?: string;
  readonly namespace?: string;
  readonly object: unknown;
}
export type MutationAnswer =
  | { readonly allowed: true; readonly patch: readonly PatchOperation[] | null; readonly warnings: readonly string[] }
  /** Answered as 422, reason Invalid. */
  | { readonly allowed: false; readonly message: string; readonly field: string; readonly warnings: readonly [] };

/** Answers one review: the same on a dry run, for nothing is kept. Whatever is not the making of a pod stays as it is. */
export function mutate(
  request: MutationRequest,
  context: Pick<InjectionContext, 'settings'> & {
    /** Labels of a namespace; null when it is not known (yet). */
    readonly labelsOf: (namespace: string) => InjectionContext['namespaceLabels'];
  },
): MutationAnswer {
  const { operation, resource, subResource = '', namespace = '', object } = request;
  if (operation !== 'CREATE' || resource.group !== '' || resource.resource !== 'pods' || subResource !== '')
    return { allowed: true, patch: null, warnings: [] };
  const injection = inject(object, { settings: context.settings, namespace, namespaceLabels: context.labelsOf(namespace) });
  switch (injection.kind) {
    case 'unchanged':
      return { allowed: true, patch: null, warnings: [] };
    case 'patch':
      return { allowed: true, patch: injection.patch, warnings: injection.warnings };
    case 'refused':
      return { allowed: false, message: injection.message, field: injection.fault.field, warnings: [] };
  }
}
