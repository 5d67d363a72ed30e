import { grpcStatuses } from '../../core/mesh/grpc-status';
import { respondGrpc } from './routes';

test.each(grpcStatuses)('the sandbox does not load the list of core, and knows %s all the same', (status) => {
  expect(() => respondGrpc(status)).not.toThrow();
});
test('what is no status there is none here', () => {
  for (const word of ['ok', 'success', 'UNAVAILABLE', '14', 'unavailable ']) expect(() => respondGrpc(word)).toThrow(/is none of|status/);
});
test('a message is printable ASCII without a space at its ends, for which clients of HTTP/2 drop it', () => {
  for (const message of ['down', '100 % "gone"', 'x'.repeat(256)]) expect(() => respondGrpc('unavailable', message)).not.toThrow();
  for (const message of ['', ' ', ' down', 'down ', 'na\u00efve', 'a\nb', 'x'.repeat(257)])
    expect(() => respondGrpc('unavailable', message)).toThrow(/without a space at its ends/);
});
