import { cleanText } from '../../../system/log/clean-text.ts';
import type { EpochMs } from '../../../vocabulary/job.ts';
import type { Notice, NoticeKind } from '../../../vocabulary/notice.ts';
import { makeNotice } from '../notice.ts';
import { parseDate } from '../parse-date.ts';
import { isRecord, parseJson } from '../parse-fields.ts';

export const FILE_SOURCE = 'file';

export interface FileNotice {
  readonly notice: Notice;
  /** Which parts of the content cannot be read, fit for a log. */
  readonly problems: readonly string[];
}

const KEYS = ['kind', 'deadline', 'reason', 'dry_run'];

/** True if the file is written completely: it exists before its content does. */
export function isComplete(text: string | null): boolean {
  return text !== null && isRecord(parseJson(text));
}

/**
 * Reads the content: nothing, or JSON `{kind?, deadline?, reason?, dry_run?}`. The file exists, so there is a notice:
 * content that cannot be read means a termination without a deadline. Null content is too long to be read.
 */
export function readFileNotice(text: string | null): FileNotice {
  if (text?.trim() === '') return { notice: plain(null), problems: [] };
  const data = text === null ? null : parseJson(text);
  if (!isRecord(data)) return { notice: plain(null), problems: ['it is not empty, and no JSON object'] };
  const problems = Object.keys(data)
    .filter((key) => !KEYS.includes(key))
    .map((key) => `unknown key ${JSON.stringify(cleanText(key, 40))}`)
    .slice(0, 5);
  const wrong = (key: string, must: string) => problems.push(`${key} must be ${must}`);

  const { kind = 'termination', deadline = null, reason = null, dry_run: dryRun = false } = data;
  if (kind !== 'termination' && kind !== 'rebalance') wrong('kind', 'termination or rebalance');
  const at = typeof deadline === 'string' ? parseDate(deadline) : null;
  if (deadline !== null && at === null) wrong('deadline', 'a date with a zone, as 2026-09-18T08:22:00Z');
  if (reason !== null && typeof reason !== 'string') wrong('reason', 'text');
  // `dry_run: 1` is meant as a dry run.
  if (typeof dryRun !== 'boolean') wrong('dry_run', 'true or false: taken for true');
  return {
    notice: plain(at, {
      kind: kind === 'rebalance' ? 'rebalance' : 'termination',
      reason: typeof reason === 'string' ? reason : null,
      dryRun: dryRun !== false && dryRun !== null,
    }),
    problems,
  };
}

interface Said {
  readonly kind: NoticeKind;
  readonly reason: string | null;
  readonly dryRun: boolean;
}

const SAYS_NOTHING: Said = { kind: 'termination', reason: null, dryRun: false };

function plain(deadline: EpochMs | null, { kind, reason, dryRun }: Said = SAYS_NOTHING): Notice {
  // A dry run and the real thing are two notices, and so are two deadlines.
  const name = `${deadline ?? 'no deadline'} ${dryRun}`;
  const words = reason?.trim() || 'announced by a file';
  return makeNotice({ source: FILE_SOURCE, kind, name, deadline, reason: words, dryRun });
}
