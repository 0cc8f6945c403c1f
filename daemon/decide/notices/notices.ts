import { drainReason } from '../../vocabulary/drain-reason.ts';
import type { NoticesEvent } from '../../vocabulary/event.ts';
import { iso, runKey } from '../../vocabulary/job.ts';
import type { Notice } from '../../vocabulary/notice.ts';
import type { NoticeRecord } from '../../vocabulary/state.ts';
import type { Draft } from '../draft.ts';
import { isLive, ruleFor } from '../rules.ts';
import { standingTerminations } from './terminations.ts';

/** The source of the notices that are given by hand. */
export const SOCKET = 'socket';
/** A source's complete list of notices: new ones are taken, those that are missing from it are withdrawn. */
export function noticesSeen(draft: Draft, { source, standing }: NoticesEvent): void {
  if (source === SOCKET || !isHeard(draft, source)) return;
  const ids = new Set(standing.map(({ id }) => id));
  for (const { notice } of draft.notices.values()) {
    if (notice.source === source && !ids.has(notice.id)) withdraw(draft, notice, 'withdrawn');
  }
  for (const notice of standing) takeNotice(draft, { ...notice, source });
}

/** Withdraws notices of sources that the configuration no longer names: nobody else would withdraw them. */
export function forgetUnheard(draft: Draft): void {
  for (const { notice } of draft.notices.values()) {
    if (notice.source !== SOCKET && !isHeard(draft, notice.source))
      withdraw(draft, notice, 'its source is not configured any more');
  }
}

/** The provider is the first part of a source's name. */
function isHeard({ policy }: Draft, source: string): boolean {
  const provider = source.replace(/\/.*/s, '');
  return policy.noticeProviders.includes('auto') || policy.noticeProviders.includes(provider);
}

/** Takes a notice. A known one is ignored, unless it is real after a dry run. */
export function takeNotice(draft: Draft, notice: Notice): void {
  const known = draft.notices.get(notice.id);
  if (known && (known.notice.source !== notice.source || !known.notice.dryRun || notice.dryRun)) return;
  const record: NoticeRecord = { notice, seenAt: draft.at, waiting: waitingFor(draft, notice) };
  draft.putNotice(record);
  const what = `${notice.kind} notice from ${notice.source}`;
  const when = notice.deadline === null ? 'no deadline' : `deadline ${iso(notice.deadline)}`;
  const dry = notice.dryRun ? ' (dry run)' : '';
  draft.note('warn', 'notice', null, `${what}, ${when}${dry}`, detailsOf(notice));
  if (drains(draft, notice)) {
    draft.noteDryRun(null, `node ${draft.policy.node} would be drained: ${drainReason(notice)}`, {
      node: draft.policy.node,
      notice_id: notice.id,
    });
  }
}

/** True for a notice of a dry run that would really have drained the node. */
function drains(draft: Draft, notice: Notice): boolean {
  const { drainNode, restore } = draft.policy;
  return drainNode && notice.kind === 'termination' && (notice.dryRun || restore.dryRun);
}

/** The runs that a rebalance notice gives one checkpoint each: live ones with a heartbeat rule. */
function waitingFor(draft: Draft, notice: Notice): NoticeRecord['waiting'] {
  if (notice.kind !== 'rebalance') return [];
  return [...draft.jobs.values()]
    .filter((job) => isLive(job) && ruleFor(job, draft.policy) !== null)
    .map(({ jobId, restarts }) => runKey(jobId, restarts));
}

export function withdraw(draft: Draft, notice: Notice, how: string): void {
  draft.dropNotice(notice.id);
  const message = `${notice.kind} notice from ${notice.source}: ${how}`;
  draft.note('info', 'notice-withdrawn', null, message, detailsOf(notice));
  if (!drains(draft, notice) || standingTerminations(draft).some(({ dryRun }) => dryRun)) return;
  draft.noteDryRun(null, `the drain of node ${draft.policy.node} would be lifted`, {
    node: draft.policy.node,
    notice_id: notice.id,
  });
}

function detailsOf({ id, source, kind, deadline, reason, dryRun }: Notice) {
  return {
    notice_id: id,
    source,
    notice_kind: kind,
    deadline: iso(deadline),
    notice_reason: reason,
    dry_run: dryRun,
  };
}
