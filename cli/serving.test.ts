import { UsageError } from './command';
import { started } from './serving';

describe('a server that cannot start', () => {
  test('says why in one line', async () => {
    const refused = started(Promise.reject(new Error('port 80 is taken:\nchoose another')));
    await expect(refused).rejects.toBeInstanceOf(UsageError);
    await expect(started(Promise.reject(new Error('port 80 is taken:\nchoose another')))).rejects.toThrow(
      'port 80 is taken: choose another',
    );
  });
  test('keeps the stack of a bug', async () => {
    await expect(started(Promise.reject(new TypeError('x is not a function')))).rejects.toBeInstanceOf(TypeError);
    await expect(started(Promise.reject(new Error('internal: no key')))).rejects.not.toBeInstanceOf(UsageError);
  });
});
