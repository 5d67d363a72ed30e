import { details } from '#books';
import { reporter } from './services.policy';

export const reporterReads = reporter.calls(details.ports.web, { timeout: '1s' }); // our need; only books can allow it
