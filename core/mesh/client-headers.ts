/** Headers by which a gateway says what its client's certificate says: taken off every request from outside, then set where there is one. */
export const clientCertificateHeader = 'x-meshwright-client-certificate';
export const clientSubjectHeader = 'x-meshwright-client-subject';
export const clientHeaders: readonly string[] = [clientCertificateHeader, clientSubjectHeader];
