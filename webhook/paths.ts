/** The paths that the API server calls: the validating configuration names the first, the mutating one the second. */
export const validatePath = '/validate';
export const injectPath = '/inject';
