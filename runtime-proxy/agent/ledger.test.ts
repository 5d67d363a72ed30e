import { Ledger } from './ledger';

const ledger = () => new Ledger(new Map([['clusters', 'endpoints']]));
const claims = { a: '1', b: '1' };

test('what was acknowledged is vouched for, and what Envoy had before anything was sent', () => {
  const own = ledger();
  own.sent({ type: 'routes', nonce: 'n1', names: ['a'] });
  own.answered('n1', true);
  expect(own.vouch('routes', claims)).toEqual(claims);
});
test('nobody vouches for a name of a response that was refused, or never answered, also when Envoy does not claim it', () => {
  const own = ledger();
  own.sent({ type: 'routes', nonce: 'n1', names: ['a', 'new'] });
  own.answered('n1', false);
  own.begin();
  expect(own.vouch('routes', claims)).toEqual({ a: '', b: '1', new: '' });
  own.sent({ type: 'routes', nonce: 'n2', names: ['b'] });
  own.begin();
  own.answered('n2', true); // of a stream that is gone
  expect(own.vouch('routes', claims)).toEqual({ a: '', b: '', new: '' });
  own.sent({ type: 'routes', nonce: 'n3', names: ['a', 'b', 'new'] });
  own.answered('n3', true);
  expect(own.vouch('routes', claims)).toEqual(claims);
});
test('a cluster that is sent again needs its endpoints again, whatever Envoy claims of them', () => {
  const own = ledger();
  own.sent({ type: 'endpoints', nonce: 'e1', names: ['a'] });
  own.sent({ type: 'clusters', nonce: 'c1', names: ['a'] });
  own.answered('c1', true);
  own.answered('e1', true); // was sent before the cluster was
  expect(own.vouch('clusters', claims)).toEqual(claims);
  expect(own.vouch('endpoints', claims)).toEqual({ a: '', b: '1' });
  own.sent({ type: 'endpoints', nonce: 'e2', names: ['a'] });
  own.answered('e2', true);
  expect(own.vouch('endpoints', claims)).toEqual(claims);
});
test('a version is what was acknowledged last, and nothing while another one is on its way or was refused', () => {
  const own = ledger();
  const send = (nonce: string, version: string): void =>
    own.sent({ type: 'listeners', nonce, names: ['a'], versions: new Map([['a', version]]) });
  const accepted = (): unknown => Object.fromEntries(own.accepted('listeners'));
  send('n1', '1');
  expect(accepted()).toEqual({});
  own.answered('n1', true);
  expect(accepted()).toEqual({ a: '1' });
  send('n2', '2');
  send('n3', '3');
  own.answered('n2', true);
  expect(accepted()).toEqual({});
  own.answered('n3', true);
  expect(accepted()).toEqual({ a: '3' });
  send('n4', '4');
  own.answered('n4', false);
  expect(accepted()).toEqual({});
  own.sent({ type: 'listeners', nonce: 'n5', names: ['a'] }); // taken away
  own.answered('n5', true);
  expect(accepted()).toEqual({});
});
