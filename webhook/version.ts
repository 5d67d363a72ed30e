/** The path prefix of the webhook's endpoints: `/v1/validate`, `/v1/mutate`. */
export const basePath = '/v1';
