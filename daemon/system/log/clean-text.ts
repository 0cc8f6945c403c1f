/** Control characters, line and paragraph separators, and those that turn the direction of the text around. */
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+/g;

/** Text from outside made fit for a log line or a terminal: valid Unicode, one line, at most `max` characters. */
export function cleanText(text: string, max = 500): string {
  // What is cut off anyway need not be looked at: an answer may be megabytes long.
  const short = text
    .slice(0, max * 4)
    .toWellFormed()
    .replace(UNPRINTABLE, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return short.length <= max ? short : `${short.slice(0, max - 1).toWellFormed()}…`;
}
