import type { Diagnostic } from '../../core/diagnostics/diagnostic';
import { evaluate } from '../../core/diagnostics/evaluate';
import { policy } from '../../core/diagnostics/policy';
import { shown } from './link';
import type { Places } from './origins';
import type { Finished, Thrown } from './protocol';

export interface Limits {
  readonly fuel: number;
  readonly memoryBytes: number;
  readonly wallMs: number;
}

/** What a run that did not come through has to say; empty when it came through. */
export function verdictOf(finished: Finished, limits: Limits, places: Places): readonly Diagnostic[] {
  const { thrown, refused } = finished;
  const span = thrown?.is === 'error' && 'stack' in thrown ? (places.framesOf(thrown.stack)[0] ?? moduleOf(thrown.stack)) : undefined;
  const spent = finished.ticks + finished.charged > limits.fuel;
  const first = refused[0];
  if (first) return [refusal(first.kind, shown(first.name), span)];
  if (thrown === null) return finished.pending ? [evaluate.asynchronous({ name: 'promise' })] : [];
  if (spent) {
    const top = thrown.is === 'error' && 'stack' in thrown ? (thrown.stack.split('\n')[0] ?? '') : '';
    if (/ at (?:exec|test|\[Symbol\.\w+\]) \(native\)/.test(top)) return [evaluate.regex({ fuel: limits.fuel }, { span })];
    if (finished.charged > finished.ticks) return [evaluate.amplification({ what: 'large texts or lists, again and again' }, { span })];
    return [evaluate.fuel({ fuel: limits.fuel }, { span })];
  }
  // Where there is no memory left for an error, the engine throws null.
  if (thrown.is === 'null' && finished.heapBytes >= limits.memoryBytes * 0.9)
    return [evaluate.memory({ mebibytes: Math.round(limits.memoryBytes / 1048576) })];
  return [failure(thrown, limits, span)];
}

/**
 * The start of the module that was running. The engine counts a module's first statement to the line of the host's own statement before it, which
 * is no place in the policies.
 */
function moduleOf(stack: string): Diagnostic['span'] {
  const file = /^ *at tree:([\w./-]+) \(bundle\.js:/m.exec(stack)?.[1];
  return file === undefined ? undefined : { file, line: 1, column: 1 };
}

function refusal(kind: string, name: string, span: Diagnostic['span']): Diagnostic {
  const where = { span };
  switch (kind) {
    case 'amplification':
      return evaluate.amplification({ what: name }, where);
    case 'clock':
      return evaluate.clock({ name }, where);
    case 'randomness':
      return evaluate.randomness({ name }, where);
    case 'network':
      return evaluate.network({ name }, where);
    case 'machine':
      return evaluate.machine({ name }, where);
    case 'code-from-text':
      return evaluate.codeFromText({ name }, where);
    case 'asynchronous':
      return evaluate.asynchronous({ name }, where);
    case 'locale':
      return evaluate.locale({ name }, where);
    case 'printing':
      return evaluate.printing({ name }, where);
    case 'forged-origin':
      return evaluate.forgedOrigin({ what: `\`${name}\`` }, where);
    case 'intrinsic':
      return evaluate.frozen({ says: `\`${name}\` of a built-in` }, where);
    default:
      return evaluate.machinery({ name }, where);
  }
}

// What the engine says when something frozen is assigned to, extended, or redefined.
const frozen =
  /is read-only|object is not extensible|property is not configurable|no setter for property|could not delete property|not extensible/;

function failure(thrown: Thrown, limits: Limits, span: Diagnostic['span']): Diagnostic {
  const where = { span };
  if (thrown.is !== 'error' || !('message' in thrown)) return evaluate.thrownOther({ is: shown(thrown.is) }, where);
  const { name, code, help } = thrown;
  const message = shown(thrown.message);
  const kind = code === undefined ? undefined : Object.values(policy).find((one) => one.code === code);
  if (kind && help !== undefined) return kind({ says: message, help: shown(help) }, where);
  if (name === 'InternalError' && message.startsWith('string too long'))
    return evaluate.amplification({ what: 'a text that is too long' }, where);
  if (name === 'InternalError' && message === 'out of memory')
    return evaluate.memory({ mebibytes: Math.round(limits.memoryBytes / 1048576) }, where);
  if ((name === 'InternalError' && message === 'stack overflow') || (name === 'RangeError' && message.includes('call stack')))
    return evaluate.depth({}, where);
  if (name === 'TypeError' && frozen.test(message)) return evaluate.frozen({ says: message }, where);
  if (name === 'ReferenceError') return evaluate.thrown({ says: message }, where);
  return evaluate.thrown({ says: `${name === 'Error' ? '' : `${shown(name)}: `}${message}` }, where);
}
