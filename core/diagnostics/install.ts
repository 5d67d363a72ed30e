/** Installing on Kubernetes, and whether an installation can lock its cluster out: MW73xx. */
import { defineDiagnostic } from './diagnostic';

export const install = {
  values: defineDiagnostic<{ field: string; reason: string }>({
    code: 'MW7301',
    slug: 'installation-values',
    severity: 'error',
    summary: 'A value of the installation is missing, unknown or not of the documented form.',
    message: ({ field, reason }) => `installation value \`${field}\` ${reason}`,
    help: () => 'repair the value; deploy/chart/values.yaml has every value with its default and its meaning',
  }),
};
