// A MongoDB client: documents in, an index, a cursor over more than one batch.
import { MongoClient } from 'mongodb';
import { report } from './report.mjs';

await report(async ({ host, port }) => {
  const client = new MongoClient(`mongodb://${host}:${port}/?directConnection=true`, { serverSelectionTimeoutMS: 60_000 });
  // it would try again until its time is up
  const refused = new Promise((_resolve, reject) => client.on('serverHeartbeatFailed', ({ failure }) => reject(failure)));
  await Promise.race([client.connect(), refused]);
  const books = client.db('shop').collection('books');
  await books.deleteMany({});
  await books.insertMany(Array.from({ length: 250 }, (_, id) => ({ id, even: id % 2 === 0 })));
  const even = await books.find({ even: true }, { batchSize: 20 }).toArray();
  await client.close();
  return { even: even.length };
});
