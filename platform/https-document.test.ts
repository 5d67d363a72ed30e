import * as https from 'node:https';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { localAuthority } from '../test/kit/serving-certificate';
import { httpsDocument, type HttpsDocumentOptions } from './https-document';
import { reachableAddresses } from './reachable-address';

let server: https.Server;
let url: string;
let options: HttpsDocumentOptions;
let answer: (response: ServerResponse) => void;
beforeAll(async () => {
  const authority = await localAuthority();
  server = https.createServer(await authority.serving(), (_request, response) => answer(response));
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, 'localhost', resolve));
  url = `https://localhost:${(server.address() as AddressInfo).port}/keys`; // a TCP server that listens has one
  options = { ca: authority.ca, mayReach: reachableAddresses(['127.0.0.0/8', '::1/128']), maxBytes: 100, timeoutMs: 10_000 };
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

test('is had where certificate, address, status and size are right', async () => {
  answer = (response) => void response.end('{}');
  expect(await httpsDocument(url, options)).toBe('{}');
});
test.each<[string, (response: ServerResponse) => void, RegExp]>([
  ['another status', (response) => void response.writeHead(500).end('{}'), /^it answers 500$/],
  ['a redirect', (response) => void response.writeHead(302, { location: 'https://localhost/' }).end(), /^it answers 302$/],
  ['too much', (response) => void response.end('x'.repeat(101)), /^it answers more than 100 bytes$/],
  ['a stream without end', (response) => void setInterval(() => response.write('x'.repeat(60)), 5).unref(), /more than 100 bytes/],
  ['compressed bytes', (response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'), /compressed/],
  [
    'half an answer',
    (response) => void (response.writeHead(200, { 'content-length': '50' }), response.write('x'), setTimeout(() => response.destroy(), 20)),
    /./,
  ],
])('is not had of %s', async (_, given, why) => {
  answer = given;
  await expect(httpsDocument(url, options)).rejects.toThrow(why);
});
test('is not had of one who does not answer', async () => {
  answer = () => undefined;
  await expect(httpsDocument(url, { ...options, timeoutMs: 50 })).rejects.toThrow('it does not answer within 0.05 s');
});
test('is not had by a certificate that nobody trusts, or that is for another name', async () => {
  answer = (response) => void response.end('{}');
  await expect(httpsDocument(url, { ...options, ca: null })).rejects.toThrow(/certificate/);
});
test('is not had from where a machine is private', async () => {
  answer = (response) => void response.end('{}');
  await expect(httpsDocument(url, { ...options, mayReach: reachableAddresses([]) })).rejects.toThrow(
    /^`localhost` is at .*, where nothing may be fetched from/,
  );
});

test.each([
  'https://127.0.0.1',
  'https://0x7f000001',
  'https://0x7f.1',
  'https://2130706433',
  'https://[::1]',
  'https://[::ffff:127.0.0.1]',
])('is not had of an address, which nobody looks up: %s', async (host) => {
  answer = (response) => void response.end('{}');
  const { port } = new URL(url);
  await expect(httpsDocument(`${host}:${port}/keys`, { ...options, mayReach: reachableAddresses([]) })).rejects.toThrow(
    /is an address where nothing may be fetched from/,
  );
});

test.each([
  '127.0.0.1', '10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0', '224.0.0.1', '255.255.255.255',
  '::1', '::', 'fe80::1', 'fd00::1', 'ff02::1', '::ffff:10.0.0.1', '::ffff:127.0.0.1', '64:ff9b::a00:1', '2002:7f00:1::', 'localhost', '',
  '::127.0.0.1', '::ffff:0:127.0.0.1', 'fec0::1', '5f00::1', '3fff::1', '100:0:0:1::1', 'fe80::1%lo',
])('%s is not of the internet', (address) => {
  expect(reachableAddresses([])(address)).toBe(false);
}); // prettier-ignore
test.each(['8.8.8.8', '172.32.0.1', '172.15.0.1', '2606:4700::1111', '11.0.0.1'])('%s is', (address) => {
  expect(reachableAddresses([])(address)).toBe(true);
});
test('a network that is named is reached, and no other', () => {
  const mayReach = reachableAddresses(['10.1.0.0/16', 'fd00::/8']);
  expect(['10.1.2.3', 'fd12::1', '10.2.0.1', 'fe80::1'].map(mayReach)).toEqual([true, true, false, false]);
  for (const bad of ['10.0.0.0', '10.0.0.0/33', 'x/8', '::/129', '10.0.0.0/-1'])
    expect(() => reachableAddresses([bad])).toThrow('is no network');
});
