import { RE2JS } from 're2js';
import { ir as messages } from '../../core/diagnostics/ir';
import type { WireTextFields, WireTextMatch } from '../../core/declarations/declaration';
import type { FieldMatch, TextMatch } from '../../core/ir/ir';
import { sortedBy } from '../../core/lib/order';
import type { Context, Place } from './context';
import { within } from './settings';

/** RFC 9110 section 7.6.1, RFC 9112 section 6, and the request id that the first proxy makes. */
const ofOneConnection: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-request-id',
]);
export type FieldKind = 'header' | 'query parameter' | 'cookie';
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/;
const mostCharacters = 256;
// Envoy takes RE2 programs of up to 100 instructions; its own count of one expression was seen up to 1.4 times this library's.
const mostInstructions = 60;

/** The matches of a record of fields, by name. Header names become lower case. What cannot be sent or matched is reported and left out. */
export function lowerFields(context: Context, what: FieldKind, fields: WireTextFields | undefined, at: Place): readonly FieldMatch[] {
  const matches = new Map<string, FieldMatch>();
  for (const written of Object.keys(fields ?? {}).sort()) {
    const text = fields?.[written];
    const place = within(at, written);
    const name = what === 'header' ? written.toLowerCase() : written;
    const why = whyNoName(what, name);
    if (why !== undefined) context.report(messages.badFieldName, { what, name: written, why }, place);
    else if (matches.has(name)) context.report(messages.duplicate, { what, name, first: name }, place);
    else if (text) {
      const match = lowerText(context, what, text, place);
      if (match) matches.set(name, { name, match });
    }
  }
  return sortedBy(matches.values(), (field) => field.name);
}

/** Why a field of that name cannot be matched; undefined: it can. */
export function whyNoName(what: FieldKind, name: string): string | undefined {
  if (what === 'query parameter')
    return /^[!-"$%'-<>-~]{1,128}$/.test(name) ? undefined : 'it holds `&`, `=`, `#`, a space or what is not ASCII';
  if (!token.test(name)) return 'it is no token of RFC 9110';
  if (what === 'header' && name === 'host') return 'the host has a field of its own, `hosts`';
  if (what === 'header' && name === 'cookie') return 'a route has a field of its own, `cookies`';
  if (what === 'header' && /^(?:x-envoy-|x-forwarded-|x-meshwright-)/.test(name))
    return 'proxies write it, so a request cannot prove anything by it';
  if (what === 'header' && ofOneConnection.has(name)) return 'it is about one connection, and proxies take it away or write it anew';
  return undefined;
}

/** Why a header of that name (lower case) is not a route's to edit; undefined: it is. */
export function whyNotEdited(name: string, layer: 'http' | 'grpc'): string | undefined {
  if (!token.test(name)) return 'it is no token of RFC 9110';
  if (name === 'host') return 'it says where a request goes: write `rewrite.host`';
  if (/^(?:x-envoy-|x-forwarded-|x-meshwright-)/.test(name)) return 'proxies write it: who is behind a request, and how it came';
  if (ofOneConnection.has(name)) return 'it is about one connection, and proxies take it away or write it anew';
  // gRPC over HTTP/2, "Requests": names of the protocol's own, and values that clients decode
  if (layer === 'grpc' && (name === 'content-type' || name.startsWith('grpc-'))) return 'it is of the gRPC protocol';
  if (layer === 'grpc' && name.endsWith('-bin')) return 'its value is not a text in gRPC';
  return undefined;
}

/** Reported and undefined when it cannot be matched. */
export function lowerText(context: Context, what: FieldKind, match: WireTextMatch, at: Place): TextMatch | undefined {
  if (match.kind === 'present') return { kind: 'present' };
  const { value } = match;
  const fail = (why: string): undefined => void context.report(messages.badTextMatch, { text: value, why }, at);
  if (value === '') return fail('it is empty');
  if (value.length > mostCharacters) return fail(`it is longer than ${mostCharacters} characters`);
  if (!/^[ -~]*$/.test(value)) return fail('it holds more than printable ASCII');
  if (value !== value.trim()) return fail('it starts or ends with a space, which is never part of a value');
  // a text that reaches over the end of its field would be read on into the next one by some, and match never for others
  if (match.kind !== 'regex' && what === 'cookie' && value.includes(';')) return fail('it holds `;`, which ends a cookie');
  if (match.kind !== 'regex' && what === 'query parameter' && /[&# ]/.test(value))
    return fail('it holds `&`, `#` or a space, which no query parameter does (they are matched as sent, not decoded)');
  if (match.kind === 'regex') {
    try {
      if (RE2JS.compile(value).programSize() > mostInstructions) return fail(`it compiles to more than ${mostInstructions} instructions`);
    } catch {
      return fail('it is not RE2 (no look-around, no back-references)');
    }
  }
  return { kind: match.kind, value };
}
