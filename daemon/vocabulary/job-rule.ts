import { type JobRule, MATCH_FIELDS, type MatchField } from './policy.ts';

/** What rules go by; a job's facts have all of it. */
export type Matched = Readonly<Record<MatchField, string>>;

/** The first rule that matches the job; undefined only where no rule matches everything. */
export function ruleOf(rules: readonly JobRule[], job: Matched): JobRule | undefined {
  return rules.find((rule) =>
    MATCH_FIELDS.every((field) => globMatches(rule.match[field] ?? '*', job[field])),
  );
}

/**
 * Shell-like globs: `*` any run of characters, `?` one; everything else is itself. At most pattern × text steps, since
 * the text is what users choose.
 */
export function globMatches(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let retry = 0;
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++;
      retry = t;
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++retry;
    } else {
      return false;
    }
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}
