import { createHash } from 'node:crypto';
import { cleanText } from '../../system/log/clean-text.ts';
import type { EpochMs } from '../../vocabulary/job.ts';
import type { Notice, NoticeKind } from '../../vocabulary/notice.ts';

export interface NoticeFacts {
  readonly source: string;
  readonly kind: NoticeKind;
  /**
   * The sender's own identity of this notice: an event's id, or the time as it was sent. Never a value computed here,
   * or each poll would make another notice.
   */
  readonly name: string;
  readonly deadline: EpochMs | null;
  readonly reason: string;
  readonly dryRun?: boolean;
}

const LONGEST_REASON = 200;

/** A notice with its identity, and a reason that can be printed. */
export function makeNotice({ source, kind, name, deadline, reason, dryRun = false }: NoticeFacts): Notice {
  return {
    id: noticeId(source, kind, name),
    source,
    kind,
    deadline,
    reason: cleanText(reason, LONGEST_REASON),
    dryRun,
  };
}

/** 16 hex digits, the same for the same three texts in every process. */
export function noticeId(source: string, kind: NoticeKind, name: string): string {
  return createHash('sha256')
    .update(JSON.stringify([source, kind, name]))
    .digest('hex')
    .slice(0, 16);
}
