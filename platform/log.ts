import pino, { type DestinationStream, type Logger } from 'pino';

export type Log = Logger;

/** Fields that never reach a log, at the top and one or two levels down. A secret has no reason to be logged: this is the second lock, not the first. */
const secretNames = [
  'token',
  'joinToken',
  'authorization',
  'password',
  'passphrase',
  'secret',
  'privateKey',
  'privateJwk',
  'd',
  'jws',
  'cookie',
  'set-cookie',
  'x-hub-signature-256',
];
const named = (name: string): string => (/^[a-zA-Z]+$/.test(name) ? `.${name}` : `["${name}"]`);
const redactPaths = secretNames.flatMap((name) => [named(name).replace(/^\./, ''), `*${named(name)}`, `*.*${named(name)}`]);

/**
 * A structured log: one JSON object a line, on stderr (stdout belongs to `--json`). Level by MESHWRIGHT_LOG (`debug`, `info`, `warn`, `error`, `silent`).
 * `name` is the server: `control-plane`, `gitops`, `agent`.
 */
export function createLog(name: string, options: { readonly level?: string; readonly destination?: DestinationStream } = {}): Log {
  return pino(
    {
      name,
      level: options.level ?? process.env['MESHWRIGHT_LOG'] ?? 'info',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), bindings: ({ name: server, pid }) => ({ name: server, pid }) },
      redact: { paths: redactPaths, censor: '[redacted]' },
      serializers: { err: pino.stdSerializers.err, error: pino.stdSerializers.err },
    },
    options.destination ?? pino.destination({ dest: 2, sync: true }),
  );
}

/** Says nothing: for tests and for the command line, whose words are its own. */
export const silentLog: Log = pino({ level: 'silent' });
