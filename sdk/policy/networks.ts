/** Gateways between networks. */
import { deploysMethod } from './deploy-time';
import { ownNamespace } from './inventory';
import { make } from './made';
import { record, whole } from './read';
import { register } from './registry';
import { accountName, name } from './units';
import { verb } from './verb';

const spec = record(
  { serviceAccount: accountName, port: whole(1, 65_535, 'port') },
  {},
  {
    listeners: 'an east-west gateway has one `port`',
    hosts: 'what is passed on is said by `port.export(...)`, name by name',
    certificate: 'nothing is opened here: TLS is passed on as it is',
    network: 'the inventory says which network an instance is in',
  },
);
export const eastWestGateway = verb('eastWestGateway', ['namespace', 'name', 'spec'], 3, (given) => {
  const called = name(given.take(1), given.at(1));
  const written = spec(given.take(2), given.at(2));
  const entry = register({ kind: 'east-west', namespace: ownNamespace(given.take(0), given.at(0)), name: called, ...written }, given.call);
  return make({ deploys: deploysMethod(entry, called) }, { kind: 'east-west', entry, name: called, owned: true });
});
