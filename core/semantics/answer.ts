/** What the mesh answers itself, as whoever asked reads it. */
import { grpcStatusOf } from '../mesh/grpc-status';
import type { MeshAnswer } from './decision';
import type { RequestView } from './match';

/** Who does not say that it speaks gRPC is told in a text (gRPC over HTTP/2, "Content-Type"). */
export const speaksGrpc = ({ headers }: Pick<RequestView, 'headers'>): boolean =>
  /^application\/grpc(\+|$)/.test(headers['content-type'] ?? '');

/**
 * A call of gRPC is answered in trailers alone, whatever the port: by its status, unless one is named, and with the text as the message. A text is
 * content, of which HEAD has none (RFC 9110 section 9.3.2).
 */
export function inWordsOf(view: Pick<RequestView, 'method' | 'headers'>, { status, headers, body }: MeshAnswer): MeshAnswer {
  const text = view.method === 'HEAD' ? null : body;
  if (!speaksGrpc(view)) return { status, headers, body: text };
  const own = { 'content-type': 'application/grpc', 'grpc-status': headers['grpc-status'] ?? String(grpcStatusOf(status)) };
  return { status: 200, headers: { ...headers, ...own, ...(text ? { 'grpc-message': percentEncoded(text) } : {}) }, body: null };
}

/** gRPC over HTTP/2, "Responses": a message is UTF-8, of which all but printable ASCII is encoded, and `%`. */
const percentEncoded = (text: string): string =>
  [...Buffer.from(text, 'utf8')]
    .map((byte) =>
      byte < 0x20 || byte > 0x7e || byte === 0x25 ? `%${byte.toString(16).toUpperCase().padStart(2, '0')}` : String.fromCharCode(byte),
    )
    .join('');
