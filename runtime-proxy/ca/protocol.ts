/** The CA's protocol: three unary calls with JSON messages. `Enrol` takes a token; the others know the caller by its SVID (mTLS). */
import { fieldsOf, numberOf, textOf } from '../rpc/decode';
import { jsonMethod } from '../rpc/json-method';

/** Whether a token is a JWT: a pod's service-account token, good until it expires. Otherwise it is a join token, good once. */
export const isServiceAccountToken = (token: string): boolean => /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token);

export interface EnrolRequest {
  /** PKCS#10, PEM. Only its key is used. */
  readonly csr: string;
  /** A join token, or on Kubernetes the service-account token of a pod. */
  readonly token: string;
}
export interface RenewRequest {
  readonly csr: string;
}
export interface ServingRequest {
  readonly csr: string;
  /** `<namespace>/<name>` of the certificate: the CA knows its hosts and who may have it. */
  readonly name: string;
}
export interface CertificateAnswer {
  /** PEM, leaf first, without the root. */
  readonly chain: string;
  /** The mesh's roots, PEM. */
  readonly trust: string;
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
}

const maxPem = 64 * 1024;
/** A service-account token is about 1.2 kB. */
const maxToken = 16 * 1024;
const answer = (value: unknown): CertificateAnswer => {
  const fields = fieldsOf(value, 'the answer');
  return {
    chain: textOf(fields, 'chain', maxPem),
    trust: textOf(fields, 'trust', maxPem),
    notAfter: numberOf(fields, 'notAfter', 0, Number.MAX_SAFE_INTEGER),
  };
};

export const caMethods = {
  enrol: jsonMethod<EnrolRequest, CertificateAnswer>('/meshwright.ca.v1alpha1.Authority/Enrol', {
    request: (value) => {
      const fields = fieldsOf(value, 'the request');
      return { csr: textOf(fields, 'csr', maxPem), token: textOf(fields, 'token', maxToken) };
    },
    response: answer,
  }),
  renew: jsonMethod<RenewRequest, CertificateAnswer>('/meshwright.ca.v1alpha1.Authority/Renew', {
    request: (value) => ({ csr: textOf(fieldsOf(value, 'the request'), 'csr', maxPem) }),
    response: answer,
  }),
  serving: jsonMethod<ServingRequest, CertificateAnswer>('/meshwright.ca.v1alpha1.Authority/IssueServing', {
    request: (value) => {
      const fields = fieldsOf(value, 'the request');
      return { csr: textOf(fields, 'csr', maxPem), name: textOf(fields, 'name') };
    },
    response: answer,
  }),
} as const;
