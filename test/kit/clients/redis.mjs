// A Redis client: writes, reads back, and follows a channel that it publishes to itself.
import { createClient } from 'redis';
import { report } from './report.mjs';

await report(async ({ host, port }) => {
  const open = () =>
    createClient({ socket: { host, port, reconnectStrategy: false, connectTimeout: 60_000 } }).on('error', () => undefined);
  const client = open();
  await client.connect();
  await client.set('book', 'reviews');
  const subscriber = open();
  await subscriber.connect();
  const heard = new Promise((resolve) => void subscriber.subscribe('news', resolve).then(() => client.publish('news', 'hello')));
  const answer = { book: await client.get('book'), heard: await heard };
  client.destroy();
  subscriber.destroy();
  return answer;
});
