import { originalPositionFor, TraceMap } from '@jridgewell/trace-mapping';
import type { Span } from '../../core/diagnostics/diagnostic';
import { preamble } from './bundle';

/** Turns the engine's stacks into places in the policies. */
export interface Places {
  /** Frames in policies, innermost first; those of the SDK and of the realm are left out. */
  framesOf(stack: string): readonly Span[];
}

const frame = /\(bundle\.js:(\d+):(\d+)\)$/;

/** Reads the bundle's source map. */
export function placesOf(map: string): Places {
  const trace = new TraceMap(map);
  const known = new Map<string, Span | null>();
  const locate = (line: number, column: number): Span | null => {
    const found = originalPositionFor(trace, { line, column: column - 1 });
    if (found.source === null || !found.source.includes('tree:')) return null;
    const file = found.source.slice(found.source.indexOf('tree:') + 'tree:'.length);
    // The host's own statement stands before the first line's text.
    const shift = found.line === 1 ? preamble(file).length : 0;
    if (found.column < shift) return null;
    return { file, line: found.line, column: found.column - shift + 1 };
  };
  return {
    framesOf(stack) {
      const spans: Span[] = [];
      for (const text of stack.split('\n')) {
        const match = frame.exec(text);
        if (!match) continue;
        const key = `${match[1]}:${match[2]}`;
        let span = known.get(key);
        if (span === undefined) {
          span = locate(Number(match[1]), Number(match[2]));
          known.set(key, span);
        }
        if (span) spans.push(span);
      }
      return spans;
    },
  };
}
