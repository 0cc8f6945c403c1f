/** Control characters, line and paragraph separators, and marks that change the direction of the text. */
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+/g;

/** Makes text from outside fit for a log line or a terminal: valid Unicode, one line, at most `max` characters. */
export function cleanText(text: string, max = 500): string {
  // Cut first: an answer may be megabytes long.
  const short = text
    .slice(0, max * 4)
    .toWellFormed()
    .replace(UNPRINTABLE, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return short.length <= max ? short : `${short.slice(0, max - 1).toWellFormed()}…`;
}
