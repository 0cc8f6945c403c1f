import * as v from 'valibot';
import { MOST_SOCKET_PATH_BYTES, type Refusal } from './api-url.ts';
import { mustBe } from './block.ts';
import { DURATION, formatDuration, parseDuration } from './duration.ts';

/** Text of a given form. `what` goes on after "must be". The value is not repeated: it could be a secret. */
export function text(what: string, form: RegExp, most = 255) {
  return v.pipe(
    v.string((issue) => mustBe(what, issue.input) + quotesHint(issue.input)),
    v.maxLength(most, `is longer than ${most} characters`),
    v.regex(form, `must be ${what}`),
  );
}

/** YAML reads `0600` and `2024` as numbers, and `true` as a boolean. */
function quotesHint(input: unknown): string {
  return typeof input === 'number' || typeof input === 'boolean' ? ': put it in quotes' : '';
}

/** A bound of a length of time, and why it is there. */
export type Bound = readonly [length: string, because: string];

/** `90s`, `15m` … in milliseconds, within bounds that include their ends. */
export function duration({ atLeast = ['0s', ''], atMost }: { atLeast?: Bound; atMost: Bound }) {
  const what = 'a duration such as 500ms, 90s, 15m, 2h or 1d';
  return v.pipe(
    v.string((issue) => mustBe(what, issue.input)),
    v.regex(DURATION, (issue) => `must be ${what}, not ${issue.received.slice(0, 40)}`),
    v.transform((length) => parseDuration(length)!),
    v.minValue(parseDuration(atLeast[0])!, boundText('at least', atLeast)),
    v.maxValue(parseDuration(atMost[0])!, boundText('at most', atMost)),
  );
}

function boundText(side: string, [length, because]: Bound) {
  return (issue: v.BaseIssue<unknown>) =>
    `must be ${side} ${length}, not ${formatDuration(issue.input as number)}: ${because}`;
}

/** A whole number within bounds that include their ends. */
export function count(least: number, most: number) {
  const message = (issue: v.BaseIssue<unknown>): string =>
    mustBe(`a whole number from ${least} to ${most}`, issue.input);
  return v.pipe(
    v.number(message),
    v.check((number) => Number.isInteger(number) && number >= least && number <= most, message),
    // One check is one problem; schema.json has the words for it all the same.
    v.metadata({ type: 'integer', minimum: least, maximum: most }),
  );
}

export function flag() {
  return v.boolean((issue) => mustBe('true or false', issue.input));
}

export function oneOf<const Words extends readonly string[]>(words: Words) {
  return v.picklist(words, (issue) => {
    const known = `one of ${words.join(', ')}`;
    return typeof issue.input === 'string'
      ? `must be ${known}, not ${JSON.stringify(issue.input.slice(0, 40))}`
      : mustBe(known, issue.input);
  });
}

export function listOf<const Item extends v.GenericSchema>(item: Item, most: number) {
  return v.pipe(
    v.array(item, (issue) => mustBe('a list', issue.input)),
    v.maxLength(most, `has more than ${most} entries`),
  );
}

export function absolutePath() {
  return text('an absolute path', /^\/[^\u0000-\u001f\u007f]*$/, 4095);
}

export function socketPath() {
  return v.pipe(
    absolutePath(),
    v.maxBytes(MOST_SOCKET_PATH_BYTES, `is longer than ${MOST_SOCKET_PATH_BYTES} bytes`),
    v.metadata({ maxLength: MOST_SOCKET_PATH_BYTES }),
  );
}

/** Permissions of a socket in octal digits, as a number for chmod. */
export function socketMode() {
  return v.pipe(
    text('octal digits in quotes, such as "0600"', /^0?[0-7]{3}$/),
    v.check(
      (digits) => /[0145]$/.test(digits),
      'must not let everybody write: who writes there can move jobs',
    ),
    v.metadata({ pattern: '^0?[0-7]{2}[0145]$' }),
    v.transform((digits) => Number.parseInt(digits, 8)),
  );
}

export function groupName() {
  return text('a group name', /^[A-Za-z_][A-Za-z0-9_.@-]*\$?$/, 64);
}

/** What the examples have in a UUID's place, and the nil UUID. */
const NO_CLUSTER = /^00000000-0000-[04]000-[08]000-000000000000$/;

/** In the file's own letters. */
export function uuidText() {
  return v.pipe(
    text('a UUID', /^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$/),
    v.check(
      (id) => !NO_CLUSTER.test(id),
      "is the example's, which two clusters could share: set this cluster's own (uuidgen makes one)",
    ),
  );
}

/** In lower case. */
export function uuid() {
  return v.pipe(
    uuidText(),
    v.transform((id) => id.toLowerCase()),
  );
}

/** Turns text into something else, or says why not. */
export function parsed<Output extends object>(parse: (text: string) => Output | Refusal) {
  return v.rawTransform<string, Output>(({ dataset, addIssue, NEVER }) => {
    const outcome = parse(dataset.value);
    if (!('refused' in outcome)) return outcome;
    addIssue({ message: outcome.refused });
    return NEVER;
  });
}

/** JavaScript's syntax in its Unicode mode, which refuses needless escapes instead of guessing at them. */
export function parseRegExp(source: string): RegExp | Refusal {
  try {
    return new RegExp(source, 'u');
  } catch (error) {
    // V8 says `Invalid regular expression: /…/u: Unterminated group`.
    return { refused: `is no regular expression: ${(error as Error).message.replace(/^.*\/u: /s, '')}` };
  }
}
