// An AMQP 0-9-1 client: a queue, a message, its acknowledgement.
import amqp from 'amqplib';
import { report } from './report.mjs';

await report(async ({ host, port }) => {
  const connection = await amqp.connect(`amqp://guest:guest@${host}:${port}/default?heartbeat=0`, { timeout: 60_000 });
  connection.on('error', () => undefined);
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue('orders', { durable: false });
  channel.sendToQueue('orders', Buffer.from('one book'));
  await channel.waitForConfirms();
  const message = await new Promise((resolve) => void channel.consume('orders', resolve));
  channel.ack(message);
  await connection.close();
  return { message: message.content.toString() };
});
