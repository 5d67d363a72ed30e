/** Matchers of answers. Each reads the decision that core/semantics made, and nothing else. */
import type { Abort } from '../../core/ir/ir';
import type { Decision } from '../../core/semantics/decision';
import { grpcStatuses } from '../policy/grpc-statuses';
import { isArray, keysOf, percentDecoded, stringify } from '../policy/intrinsics';
import { type Answered, type Arrival, nameOf } from './ask';
import { type Verdict, describe, durationText, millisecondsOf, quoted } from './described';
import { reachExpected, reachOf } from './reach';
import { TestFailure } from './run';

type AnswerMatcher = (answered: Answered, given: readonly unknown[]) => Verdict;

const is = (decision: Decision): string => `it is ${describe(decision)}`;

function outcome(wanted: 'allow' | 'deny'): AnswerMatcher {
  return ({ decision }) => ({
    holds: decision.outcome === wanted,
    wanted: `be ${wanted === 'allow' ? 'allowed' : 'denied'}`,
    is: is(decision),
  });
}

function by(wanted: 'allow' | 'deny', matcher: string): AnswerMatcher {
  return ({ decision }, [rule]) => {
    const id = nameOf(rule)?.id;
    if (id === undefined) throw new TestFailure(`\`${matcher}\` takes a rule: name what \`allow(...)\` or \`deny(...)\` made`);
    const because = [...new Set([...decision.because, ...decision.destinations.flatMap((one) => one.because)])];
    const word = wanted === 'allow' ? 'allowed' : 'denied';
    const decider = because.length === 0 ? 'no rule decided' : `${quoted(because)} decided`;
    return {
      holds: decision.outcome === wanted && because.some((one) => one === id),
      wanted: `be ${word} by \`${id}\``,
      is: decision.outcome === wanted ? decider : is(decision),
    };
  };
}

/** Shares by version, or by port where a destination has none. */
function sharesOf(decision: Decision): Record<string, number> {
  const shares: Record<string, number> = {};
  for (const one of decision.destinations) {
    const name = one.version ?? one.port;
    shares[name] = (shares[name] ?? 0) + one.share;
  }
  return shares;
}
function sharesText(shares: { readonly [name: string]: unknown }): string {
  const names = keysOf(shares).filter((name) => shares[name] !== 0);
  return names.length === 0
    ? 'nobody'
    : names
        .sort()
        .map((name) => `${name} ${String(shares[name])} %`)
        .join(', ');
}
const isPlain = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === 'object' && value !== null && !isArray(value);

/** Whether a destination is the version or the port that a test names. */
function placed(
  where: unknown,
  matcher: string,
): { readonly name: string; matches(one: { readonly version: string | null }, arrival: Arrival | undefined): boolean } {
  if (typeof where === 'string') return { name: where, matches: ({ version }) => version === where };
  const port = nameOf(where);
  if (!port)
    throw new TestFailure(`\`${matcher}\` takes a version or a port, and a share in percent where it is not all: \`${matcher}('v2', 10)\``);
  return {
    name: `${port.id}${port.port === undefined ? '' : `.${port.port}`}`,
    matches: (_, arrival) => arrival?.ref === port.id && (port.port === undefined || arrival.port === port.port),
  };
}

const toGoTo: AnswerMatcher = ({ decision, targets }, [where, share = 100]) => {
  const shares = sharesOf(decision);
  const goes = `it goes to ${sharesText(shares)}: ${decision.says}`;
  if (isPlain(where) && !nameOf(where)) {
    const wanted = sharesText(where);
    return { holds: sharesText(shares) === wanted, wanted: `go to ${wanted}`, is: goes };
  }
  const { matches, name } = placed(where, 'toGoTo');
  const found = decision.destinations.filter((one, index) => matches(one, targets[index])).reduce((sum, one) => sum + one.share, 0);
  return { holds: found === share, wanted: `go to ${name}${share === 100 ? '' : ` with ${String(share)} %`}`, is: goes };
};

const toGoThrough: AnswerMatcher = ({ decision, targets }, [gateway]) => {
  const id = nameOf(gateway)?.id;
  if (id === undefined) throw new TestFailure('`toGoThrough` takes a gateway: the `through` of an `external`');
  const ways = [...new Set(targets.map(({ through }) => through ?? null))];
  const told = ways.map((way) => (way === null ? 'by itself' : `through \`${way}\``)).join(', and ');
  return {
    holds: ways.length === 1 && ways[0] === id,
    wanted: `go through \`${id}\``,
    is: ways.length === 0 ? `it goes to nobody: ${decision.says}` : `it goes ${told}`,
  };
};

/** The words of a policy: a time, or `none`. */
const toTimeOutAfter: AnswerMatcher = ({ decision }, [time]) => {
  const wanted = time === 'none' ? null : millisecondsOf(time);
  if (wanted === undefined) throw new TestFailure(`\`${String(time)}\` is no duration: write \`2s\`, \`500ms\`, or \`none\``);
  return {
    holds: decision.timeoutMs === wanted,
    wanted: wanted === null ? 'have no timeout' : `time out after ${String(time)}`,
    is: decision.timeoutMs === null ? 'it has no timeout' : `it times out after ${durationText(decision.timeoutMs)}`,
  };
};

/** Of connections alone: a request has a timeout. */
const toCloseAfterIdle: AnswerMatcher = ({ decision }, [time]) => {
  const wanted = millisecondsOf(time);
  if (wanted === undefined) throw new TestFailure(`\`${String(time)}\` is no duration: write \`1h\` or \`30s\``);
  const idle = decision.idleMs ?? null;
  return {
    holds: idle === wanted,
    wanted: `be closed after ${String(time)} without a byte`,
    is: idle === null ? is(decision) : `it is closed after ${durationText(idle)}`,
  };
};

const retryFields = ['atMost', 'perTry', 'on', 'budget'] as const;
const toRetry: AnswerMatcher = ({ decision: { retry } }, [wanted]) => {
  const texts: { readonly [field: string]: string } = retry
    ? {
        atMost: `${retry.atMost}`,
        perTry: retry.perTryMs === null ? 'none' : durationText(retry.perTryMs),
        on: [...retry.on].sort().join(' '),
        budget: retry.budgetPercent === null ? 'none' : `${retry.budgetPercent}%`,
      }
    : {};
  const told = retry ? `it is retried with ${retryFields.map((field) => `${field} ${texts[field]}`).join(', ')}` : 'it is not retried';
  const asked = typeof wanted === 'number' ? { atMost: wanted } : (wanted ?? {});
  if (!isPlain(asked))
    throw new TestFailure('`toRetry` takes a number of tries, or what a `retry` has: `toRetry({ atMost: 2, on: [...] })`');
  const unknown = keysOf(asked).find((field) => !retryFields.some((known) => known === field));
  if (unknown !== undefined) throw new TestFailure(`\`${unknown}\` is nothing that a retry has: it has ${quoted(retryFields)}`);
  const parts = retryFields
    .filter((field) => asked[field] !== undefined)
    .map((field): readonly [string, string] => {
      const value = asked[field];
      const milliseconds = field === 'perTry' ? millisecondsOf(value) : undefined;
      return [
        field,
        milliseconds !== undefined ? durationText(milliseconds) : isArray(value) ? value.map(String).sort().join(' ') : String(value),
      ];
    });
  return {
    holds: retry !== null && parts.every(([field, text]) => texts[field] === text),
    wanted: parts.length === 0 ? 'be retried' : `be retried with ${parts.map((part) => part.join(' ')).join(', ')}`,
    is: told,
  };
};

/** Where a redirect leads: of a whole address its parts, of a path the path alone. */
function placeOf(location: string): { readonly scheme: string; readonly host: string; readonly path: string } {
  const [, scheme = 'the same scheme', host = 'the same host', path = ''] = /^(?:([a-z]+):\/\/)?(?:([^/]+))?(\/.*)?$/.exec(location) ?? [];
  return { scheme, host, path: path === '' ? '/' : path };
}
const redirectFields = ['scheme', 'host', 'path', 'status'] as const;

const toRedirectTo: AnswerMatcher = ({ decision }, [wanted]) => {
  const whole = typeof wanted === 'string' && !wanted.startsWith('/');
  const fields = typeof wanted === 'string' ? { path: wanted } : wanted;
  if (!isPlain(fields))
    throw new TestFailure("`toRedirectTo` takes an address, a path, or parts of them: `toRedirectTo({ host: 'www.acme.example' })`");
  const location = decision.answer?.headers['location'];
  const texts = location === undefined ? {} : { ...placeOf(location), status: `${decision.status}` };
  const held: { readonly [field: string]: string } = texts;
  const names = redirectFields.filter((field) => fields[field] !== undefined);
  return {
    holds: location !== undefined && (whole ? location === wanted : names.every((field) => held[field] === String(fields[field]))),
    wanted: `be redirected to ${whole ? wanted : names.map((field) => `${field} ${String(fields[field])}`).join(', ')}`,
    is: location === undefined ? is(decision) : `it is redirected to ${location} with ${decision.status}`,
  };
};

/** What the mesh says itself, as a policy says it: a status of gRPC by its name, its message as a text. */
function ownAnswer({ status, answer }: Decision): {
  readonly status: string | number | null;
  readonly grpc: string | null;
  readonly text: string | null;
} {
  const headers = answer?.headers ?? {};
  const number = headers['grpc-status'];
  const message = headers['grpc-message'];
  return {
    status,
    grpc: number === undefined ? null : (grpcStatuses[Number(number) - 1] ?? number),
    text: answer?.body ?? (message === undefined ? null : percentDecoded(message)),
  };
}
/** The mesh's own answer, with no application behind it. */
const toBeAnsweredWith: AnswerMatcher = ({ decision }, [status, text]) => {
  const own = ownAnswer(decision);
  const told =
    own.status === null
      ? 'the application answers'
      : `the mesh answers ${own.grpc ?? own.status}${own.text === null ? '' : ` ${stringify(own.text)}`}`;
  return {
    holds:
      decision.outcome !== 'deny' &&
      own.status !== null &&
      (status === own.grpc || status === own.status) &&
      (text === undefined || text === own.text),
    wanted: `be answered with ${String(status)}${text === undefined ? '' : ` ${stringify(text)}`} by the mesh itself`,
    is: decision.outcome === 'deny' ? is(decision) : told,
  };
};

const shareText = (share: unknown): string => (share === 100 ? '' : ` for ${String(share)} % of the requests`);

const toBeMirroredTo: AnswerMatcher = ({ decision, mirrors }, [where, percent = 100]) => {
  const { matches, name } = placed(where, 'toBeMirroredTo');
  const found = decision.mirrors.filter((one, index) => matches(one, mirrors[index])).reduce((sum, one) => sum + one.share, 0);
  const told = decision.mirrors.map((one) => `${one.version ?? one.port} ${one.share} %`).join(', ');
  return {
    holds: found === percent,
    wanted: `be mirrored to ${name}${shareText(percent)}`,
    is: told === '' ? 'it is not mirrored' : `it is mirrored to ${told}`,
  };
};

const toBeDelayed: AnswerMatcher = ({ decision: { fault } }, [time, percent = 100]) => {
  const wanted = millisecondsOf(time);
  if (wanted === undefined) throw new TestFailure(`\`${String(time)}\` is no duration: write \`2s\` or \`500ms\``);
  const delay = fault?.delay;
  return {
    holds: delay?.ms === wanted && delay.percent === percent,
    wanted: `be delayed by ${String(time)}${shareText(percent)}`,
    is: delay ? `it is delayed by ${durationText(delay.ms)}${shareText(delay.percent)}` : 'it is not delayed',
  };
};

/** As an author writes it. */
const answerOf = ({ kind, status }: Abort): string | number => (kind === 'http' ? status : (grpcStatuses[status - 1] ?? status));
const toBeAborted: AnswerMatcher = ({ decision: { fault } }, [status, percent = 100]) => {
  const abort = fault?.abort;
  return {
    holds: abort !== undefined && abort !== null && answerOf(abort) === status && abort.percent === percent,
    wanted: `be aborted with ${String(status)}${shareText(percent)}`,
    is: abort ? `it is aborted with ${answerOf(abort)}${shareText(abort.percent)}` : 'it is not aborted',
  };
};

const toBeReachedWith: AnswerMatcher = ({ decision }, [wanted]) => {
  const expected = reachExpected(wanted);
  if (!expected)
    throw new TestFailure(
      "`toBeReachedWith` takes what a setting has: `toBeReachedWith({ connections: { max: 10 }, locality: { prefer: 'zone' } })`",
    );
  const names = keysOf(expected);
  const words = (of: { readonly [name: string]: string }): string => names.map((name) => `${name} ${of[name] ?? '(not set)'}`).join(', ');
  const arrivals = decision.destinations.flatMap(({ resilience }) => (resilience ? [reachOf(resilience)] : []));
  const told = [...new Set(arrivals.map(words))];
  return {
    holds: arrivals.length > 0 && told.every((one) => one === words(expected)),
    wanted: `be reached with ${words(expected)}`,
    is: told.length === 0 ? `nobody is reached: it is ${describe(decision)}` : `it is reached with ${told.join('; and with ')}`,
  };
};

const toStickBy: AnswerMatcher = ({ decision: { sticky } }, [by, name]) => ({
  holds: sticky !== null && sticky.by === by && sticky.name === name,
  wanted: `stick to its destination by ${String(by)} \`${String(name)}\``,
  is: sticky ? `it sticks by ${sticky.by} \`${sticky.name}\`` : 'each request goes its own way',
});

const arrivalFields = ['path', 'host', 'headers'] as const;
const toArriveAs: AnswerMatcher = ({ decision }, [wanted]) => {
  const fields = isPlain(wanted) ? wanted : {};
  const headers = isPlain(fields['headers']) ? fields['headers'] : {};
  if (!isPlain(wanted) || keysOf(fields).some((field) => !arrivalFields.some((known) => known === field)))
    throw new TestFailure(`\`toArriveAs\` takes any of ${quoted(arrivalFields)}: what each destination reads`);
  const names = keysOf(headers);
  const says = ({ path, host, headers: held }: Decision['destinations'][number]['request'], of: readonly string[]): string =>
    [
      ...(fields['path'] === undefined ? [] : [`path ${path}`]),
      ...(fields['host'] === undefined ? [] : [`host ${host}`]),
      ...of.map((name) => `${name}: ${held[name.toLowerCase()] ?? '(none)'}`),
    ].join(', ');
  const expected = {
    path: String(fields['path']),
    host: String(fields['host']),
    headers: Object.fromEntries(names.map((name) => [name.toLowerCase(), headers[name] === null ? '(none)' : String(headers[name])])),
  };
  const target = says({ method: '', ...expected }, names);
  const arrivals = [...new Set(decision.destinations.map((one) => says(one.request, names)))];
  return {
    holds: arrivals.length > 0 && arrivals.every((one) => one === target),
    wanted: `arrive with ${target}`,
    is: arrivals.length === 0 ? `nobody gets it: it is ${describe(decision)}` : `it arrives with ${arrivals.join('; and with ')}`,
  };
};

const toBeRefusedWith: AnswerMatcher = ({ decision }, [status]) => ({
  holds: decision.outcome === 'deny' && decision.status === status,
  wanted: `be refused with ${String(status)}`,
  is: is(decision),
});

const toTakeRoute: AnswerMatcher = ({ decision }, [route, rule]) => {
  const id = nameOf(route)?.id;
  if (id === undefined)
    throw new TestFailure('`toTakeRoute` takes what `route(...)` made, and which of its rules: a number from 0, or `otherwise`');
  const wanted = rule === undefined ? id : rule === 'otherwise' ? `${id}.otherwise` : `${id}.rules.${String(rule)}`;
  const took = decision.route?.rule;
  return {
    holds: took !== undefined && (`${took}` === wanted || (rule === undefined && `${took}`.startsWith(`${id}.`))),
    wanted: `take \`${wanted}\``,
    is: took === undefined ? `it takes no route, it is ${describe(decision)}` : `it takes \`${took}\``,
  };
};

export const answerMatchers: { readonly [name: string]: AnswerMatcher } = {
  toBeAllowed: outcome('allow'),
  toBeAllowedBy: by('allow', 'toBeAllowedBy'),
  toBeDenied: outcome('deny'),
  toBeDeniedBy: by('deny', 'toBeDeniedBy'),
  toBeRefusedWith,
  toBeAnsweredWith,
  toTakeRoute,
  toGoTo,
  toGoThrough,
  toTimeOutAfter,
  toHaveTimeout: toTimeOutAfter,
  toCloseAfterIdle,
  toRetry,
  toRedirectTo,
  toBeReachedWith,
  toStickBy,
  toArriveAs,
  toBeMirroredTo,
  toBeDelayed,
  toBeAborted,
};
