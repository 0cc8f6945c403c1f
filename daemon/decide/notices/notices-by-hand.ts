import type { DaemonEvent } from '../../vocabulary/event.ts';
import type { EpochMs, Millis } from '../../vocabulary/job.ts';
import type { Notice } from '../../vocabulary/notice.ts';
import type { Draft } from '../draft.ts';
import { SOCKET, takeNotice, withdraw } from './notices.ts';

/** A notice by hand expires this long after its deadline: nobody may be there to withdraw it. */
export const PASSES_AFTER_MS: Millis = 15 * 60_000;
/** How many notices by hand may stand at once. */
const MOST_BY_HAND = 100;

type Heard<T extends DaemonEvent['type']> = Extract<DaemonEvent, { type: T }>;

/** An administrator reports that the node goes away. */
export function noticeAsked(draft: Draft, { notice, requestId }: Heard<'ask-notice'>): void {
  const passed = passesAt(notice) <= draft.at;
  const message = passed ? 'its deadline is over for longer than 15 minutes' : 'too many notices stand';
  let byHand = 0;
  for (const each of draft.notices.values()) if (each.notice.source === SOCKET) byHand++;
  if (passed || byHand >= MOST_BY_HAND) {
    return draft.reply(requestId, { status: passed ? 400 : 409, message });
  }
  takeNotice(draft, notice);
  draft.reply(requestId, { noticeId: notice.id, created: true });
}

/** An administrator withdraws a notice that was given by hand. */
export function withdrawAsked(draft: Draft, { noticeId, requestId }: Heard<'ask-withdraw'>): void {
  const known = draft.notices.get(noticeId);
  if (!known) return draft.reply(requestId, { status: 404, message: `no notice ${noticeId} stands` });
  if (known.notice.source !== SOCKET) {
    const message = `notice ${noticeId} is ${known.notice.source}'s: it goes when ${known.notice.source} takes it back`;
    return draft.reply(requestId, { status: 409, message });
  }
  withdraw(draft, known.notice, 'withdrawn');
  draft.reply(requestId, { noticeId, created: false });
}

/** Withdraws notices by hand that have expired. */
export function passNotices(draft: Draft): void {
  for (const { notice } of draft.notices.values()) {
    if (passesAt(notice) <= draft.at) withdraw(draft, notice, 'passed without effect');
  }
}

export function passesAt({ source, deadline }: Notice): EpochMs {
  return source === SOCKET && deadline !== null ? deadline + PASSES_AFTER_MS : Number.POSITIVE_INFINITY;
}
