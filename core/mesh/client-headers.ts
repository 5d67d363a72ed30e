/** Headers by which a gateway says what its client's certificate says, and how it came: taken off every request from outside, then set where there is something to say. */
export const clientCertificateHeader = 'x-meshwright-client-certificate';
export const clientSubjectHeader = 'x-meshwright-client-subject';
/** By which a gateway says to the next proxy that somebody came in the clear. It says nothing better than that, so nobody gains by forging it. */
export const clientSchemeHeader = 'x-meshwright-client-scheme';
export const clientHeaders: readonly string[] = [clientCertificateHeader, clientSubjectHeader, clientSchemeHeader];
