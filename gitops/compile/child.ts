/** The compiler process: one request, one answer. It ends with the loop: the channel closes. */
import { answerRequest } from './answer';
import type { CompilerRequest } from './protocol';

process.on('disconnect', () => process.exit(0));
process.on('message', (request: CompilerRequest) => {
  answerRequest(request).then(
    (value) => process.send?.({ value }),
    (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
  );
});
