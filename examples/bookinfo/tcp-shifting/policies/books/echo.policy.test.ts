import { ask, callersOf, expect, test } from 'meshwright/testing';
import { echoRoutes, shellTalks } from './echo.policy';
import { echo, shell } from './echo.services.policy';

test('one connection in five goes to the second version', () => {
  const connection = ask({ from: shell, to: echo.ports.echo });
  expect(connection).toBeAllowedBy(shellTalks);
  expect(connection).toTakeRoute(echoRoutes, 'otherwise');
  expect(connection).toGoTo({ v1: 80, v2: 20 });
  expect(connection).toCloseAfterIdle('1h');
});
test('nobody else connects', () => expect(callersOf(echo.ports.echo)).toEqual([shell]));
