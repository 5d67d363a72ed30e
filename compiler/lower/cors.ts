import { answers } from '../../core/diagnostics/answers';
import { ir as messages } from '../../core/diagnostics/ir';
import type { WireCors } from '../../core/declarations/declaration';
import type { Cors, TextMatch } from '../../core/ir/ir';
import { canonicalJson } from '../../core/lib/json';
import { sortedBy, sortedUnique } from '../../core/lib/order';
import type { Context, Place } from './context';
import { matchesText } from '../../core/semantics/match';
import { lowerText, whyNoName } from './fields';
import { within } from './settings';
import { durationMs } from './units';

const anyOrigin: TextMatch = { kind: 'regex', value: '.+' };

/** Origins that nobody can mean by name: of hosts that are not there (RFC 6761 section 6.4), and the one of a page that has none. */
const strangers = ['null', 'http://stranger.invalid', 'https://stranger.invalid', 'https://stranger.invalid:8443', 'https://a.b.invalid'];
const takesStrangers = (origin: TextMatch): boolean => strangers.some((stranger) => matchesText(origin, stranger));

/** Who may call across origins; null where nothing is said. */
export function lowerCors(context: Context, cors: WireCors | undefined, at: Place): Cors | null {
  if (cors === undefined) return null;
  const origins =
    cors.origins === 'any' ? [anyOrigin] : cors.origins.flatMap((origin) => lowerOrigin(context, origin, within(at, 'origins')) ?? []);
  if (cors.origins.length === 0) context.report(messages.empty, { what: '`origins`' }, at);
  if (cors.methods.length === 0) context.report(messages.empty, { what: '`methods`' }, at);
  if (cors.credentials === true && (cors.origins === 'any' || origins.some(takesStrangers)))
    context.report(messages.corsAnyWithCredentials, {}, at);
  for (const list of ['headers', 'exposed'] as const)
    if (cors.credentials === true && cors[list]?.includes('*')) context.report(answers.corsStar, { list }, within(at, list));
  const names = (list: 'headers' | 'exposed'): readonly string[] =>
    sortedUnique(
      (cors[list] ?? []).flatMap((written) => {
        const name = written.toLowerCase();
        const why = whyNoName('cookie', name); // a token, whatever it is used for
        if (why === undefined) return [name];
        context.report(messages.badFieldName, { what: 'header', name: written, why }, within(at, list));
        return [];
      }),
    );
  const maxAgeMs = cors.maxAge === undefined ? null : (durationMs(context, cors.maxAge, within(at, 'maxAge')) ?? null);
  if (maxAgeMs !== null && maxAgeMs % 1000 !== 0)
    context.report(messages.badDuration, { text: cors.maxAge ?? '', why: 'browsers count in whole seconds' }, within(at, 'maxAge'));
  return {
    origins: sortedBy(origins, canonicalJson),
    methods: sortedUnique(cors.methods),
    headers: names('headers'),
    exposed: names('exposed'),
    credentials: cors.credentials ?? false,
    maxAgeMs,
  };
}

function lowerOrigin(context: Context, origin: Extract<WireCors['origins'], readonly unknown[]>[number], at: Place): TextMatch | undefined {
  if (origin.kind === 'present' || origin.kind === 'prefix') {
    context.report(
      messages.badTextMatch,
      { text: origin.kind, why: 'a prefix of an origin is also one of hosts that somebody else owns' },
      at,
    );
    return undefined;
  }
  return lowerText(context, 'header', origin, at);
}
