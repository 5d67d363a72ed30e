/** The compiler process: one request, one answer. It ends with the loop: the channel closes. */
import { reasonOf } from '../../core/lib/reason';
import { answerRequest } from './answer';
import type { CompilerRequest } from './protocol';

process.on('disconnect', () => process.exit(0));
process.on('message', (request: CompilerRequest) => {
  answerRequest(request).then(
    (value) => process.send?.({ value }),
    (error: unknown) => process.send?.({ error: reasonOf(error) }),
  );
});
