/** MW313x: what a route list says of answers that no browser or client can read so. */
import { defineDiagnostic } from './diagnostic';

export const answers = {
  bodilessAbort: defineDiagnostic<{ status: number }>({
    code: 'MW3130',
    slug: 'bodiless-abort',
    severity: 'error',
    summary: 'an abort answers with a text, and some statuses have none (RFC 9110 sections 15.3.5, 15.3.6, 15.4.5)',
    message: ({ status }) => `an abort with the status ${status}, which has no body`,
    help: () => 'write the status of a failure, such as 503',
  }),
  corsStar: defineDiagnostic<{ list: 'headers' | 'exposed' }>({
    code: 'MW3131',
    slug: 'cors-star',
    severity: 'error',
    summary: 'beside credentials `*` is a header of that name, and stands for no other (Fetch standard: CORS protocol and credentials)',
    message: ({ list }) => `\`*\` in \`${list}\` beside \`credentials\`, where it stands for no other header`,
    help: ({ list }) => `name the headers: \`${list}: ['content-type']\``,
  }),
};
