/** A process on Pulumi's plugin protocol: it prints the port it serves on, and ends with its engine. */
import { Server, ServerCredentials, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js';

export async function servePlugin(definition: ServiceDefinition, service: UntypedServiceImplementation): Promise<void> {
  const server = new Server({ 'grpc.max_receive_message_length': 400 * 1024 * 1024 });
  server.addService(definition, service);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound))),
  );
  process.stdout.write(`${port}\n`);
  // An engine that was killed cannot end its plugins: they see that their parent has changed.
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) process.exit(0);
  }, 500).unref();
}
