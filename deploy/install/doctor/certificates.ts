/** Whether the API server can verify who answers it, and for how long. */
import { X509Certificate } from 'node:crypto';
import { meshNamespace } from '../../../core/bundle/custom-resource';
import type { Diagnostic } from '../../../core/diagnostics/diagnostic';
import { install } from '../../../core/diagnostics/install';
import { shared } from '../names';
import { entriesOf, isOurs, isRead, ofKind, textAt, type ClusterSnapshot, type Entry } from './snapshot';

const day = 24 * 3600 * 1000;
const secretName = `secret/${meshNamespace}/${shared.webhookCertificates}`;

export function examineCertificates(snapshot: ClusterSnapshot): readonly Diagnostic[] {
  if (!snapshot.live || !isRead(snapshot, 'ValidatingWebhookConfiguration')) return [];
  const served = servedCertificate(snapshot);
  const ours = entriesOf(snapshot).filter((entry) => isOurs(entry) && entry.service !== null);
  return [
    ...ours.flatMap((entry) => {
      const reason = whyNot(entry, served);
      return reason === null ? [] : [install.bundleMissing({ entry: `${entry.place} ${entry.name}`, reason })];
    }),
    ...(served === null ? [] : ageOf(served, snapshot.now)),
  ];
}

/** The leaf in the Secret that every replica serves from; null when it is not known. Only its public half is looked at. */
function servedCertificate(snapshot: ClusterSnapshot): X509Certificate | null {
  const secret = ofKind(snapshot, 'Secret').find(
    ({ metadata }) => metadata.namespace === meshNamespace && metadata.name === shared.webhookCertificates,
  );
  const text = textAt(secret, 'data', 'tls.crt');
  return text === undefined ? null : (certificatesIn(text)[0] ?? null);
}

function whyNot({ webhook, service }: Entry, served: X509Certificate | null): string | null {
  const bundle = textAt(webhook, 'clientConfig', 'caBundle');
  if (bundle === undefined || bundle === '') return 'it has no CA bundle';
  const roots = certificatesIn(bundle);
  if (roots.length === 0) return 'its CA bundle holds no certificate';
  if (served === null) return null;
  const [namespace = '', name = ''] = (service ?? '').split('/');
  if (served.checkHost(`${name}.${namespace}.svc`) === undefined)
    return `the certificate in \`${secretName}\` is not for \`${name}.${namespace}.svc\``;
  return roots.some((root) => served.checkIssued(root) && served.verify(root.publicKey))
    ? null
    : `the certificate in \`${secretName}\` is not issued by a CA of its bundle`;
}

/** A certificate that is renewed is renewed in the last third of its life at the latest; one in its last tenth was forgotten. */
function ageOf(served: X509Certificate, now: number): readonly Diagnostic[] {
  const [from, to] = [Date.parse(served.validFrom), Date.parse(served.validTo)];
  const left = to - now;
  if (left > Math.min((to - from) / 10, 30 * day)) return [];
  return [install.certificateAge({ secret: secretName, until: new Date(to).toISOString(), lapsed: left <= 0 })];
}

/** The certificates in base64 of PEM; none when it is not that. */
function certificatesIn(base64: string): readonly X509Certificate[] {
  const pem = Buffer.from(base64, 'base64').toString('latin1');
  try {
    return [...pem.matchAll(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)].map(([text]) => new X509Certificate(text));
  } catch {
    return [];
  }
}
