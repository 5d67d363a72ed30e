// A Kafka client: asks one address for the cluster, then dials each broker where the cluster says it is.
import { Kafka, Partitioners, logLevel } from 'kafkajs';
import { report } from './report.mjs';

await report(async ({ host, port }) => {
  const kafka = new Kafka({ brokers: [`${host}:${port}`], logLevel: logLevel.NOTHING, connectionTimeout: 60_000, retry: { retries: 6 } });
  const admin = kafka.admin();
  await admin.connect();
  const { brokers } = await admin.describeCluster();
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic: 'orders', numPartitions: 2, replicationFactor: 1 }] });
  const { topics } = await admin.fetchTopicMetadata({ topics: ['orders'] });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  await producer.send({ topic: 'orders', messages: [0, 1].map((partition) => ({ partition, value: `on ${partition}` })) });
  const consumer = kafka.consumer({ groupId: 'readers' });
  await consumer.connect();
  await consumer.subscribe({ topic: 'orders', fromBeginning: true });
  // what is sent a second time comes twice
  const values = new Set();
  await new Promise((resolve) => {
    void consumer.run({
      eachMessage: async ({ message }) => {
        if (values.add(message.value.toString()).size === 2) resolve();
      },
    });
  });
  await Promise.all([consumer.disconnect(), producer.disconnect(), admin.disconnect()]);
  return {
    brokers: brokers.map(({ nodeId, host: at, port: number }) => `${nodeId} ${at}:${number}`).sort(),
    leaders: [...new Set(topics[0].partitions.map(({ leader }) => leader))].sort(),
    values: [...values].sort(),
  };
});
