import { grpcStatuses } from '../../core/mesh/grpc-status';
import { respondGrpc } from './routes';

test.each(grpcStatuses)('the sandbox does not load the list of core, and knows %s all the same', (status) => {
  expect(() => respondGrpc(status)).not.toThrow();
});
test('what is no status there is none here', () => {
  for (const word of ['ok', 'success', 'UNAVAILABLE', '14', 'unavailable ']) expect(() => respondGrpc(word)).toThrow(/is none of|status/);
});
