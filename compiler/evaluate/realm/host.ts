/**
 * The four doors of the sandbox, taken from the global object by the first module that runs and removed from it: nothing that runs later
 * can find them. Everything crosses as text or a number.
 */
interface Doors {
  /** The one result. */
  emit(json: string): void;
  /** Units of work done by built-ins; true when the fuel is used up. */
  charge(units: number): boolean;
  /** Something was tried that a policy may not do: the evaluation fails, whether or not the module catches the throw. */
  refuse(kind: string, name: string): void;
  /** A question of a policy test; the answer is JSON. */
  ask(json: string): string;
  /** Called by the host with a thrown value; the answer is JSON. */
  describer(describe: (thrown: unknown) => string): void;
}

const key = '__meshwrightDoors';
const descriptor = Object.getOwnPropertyDescriptor(globalThis, key);
Reflect.deleteProperty(globalThis, key);
export const doors: Doors = descriptor?.value as Doors;

/** As the engine has it: what leaves by the doors is neither charged nor capped here, but by the host. */
export const { stringify } = JSON;
const { getOwnPropertyDescriptor } = Object;
const RealError = Error;

/** Refuses what may not be done: tells the host, then throws. */
export function refuse(kind: string, name: string): never {
  doors.refuse(kind, name);
  throw new RealError(name + ' is refused');
}

/** A text out of an own data property; accessors and inherited values are not asked. */
function own(thrown: object, name: string): string | undefined {
  const found = getOwnPropertyDescriptor(thrown, name);
  return typeof found?.value === 'string' ? found.value : undefined;
}

doors.describer((thrown) => {
  if (typeof thrown !== 'object' || thrown === null) return stringify({ is: thrown === null ? 'null' : typeof thrown });
  if (!(thrown instanceof RealError)) return stringify({ is: 'an object' });
  const named = getOwnPropertyDescriptor(thrown, 'name') ?? getOwnPropertyDescriptor(Object.getPrototypeOf(thrown) ?? {}, 'name');
  const name = typeof named?.value === 'string' ? named.value : 'Error';
  return stringify({
    is: 'error',
    name,
    message: own(thrown, 'message') ?? '',
    stack: own(thrown, 'stack') ?? '',
    code: own(thrown, 'code'),
    help: own(thrown, 'help'),
  });
});
