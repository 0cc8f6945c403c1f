import type { HistoryLine } from '../journal/entries.ts';
import { iso } from '../vocabulary/job.ts';
import type { Notice } from '../vocabulary/notice.ts';
import type { NodeRecord, NoticeRecord, OwnDrain, State } from '../vocabulary/state.ts';

/** `GET /v1/jobs`: one object a job, times as ISO 8601. */
export function jobsView(state: State): object[] {
  return [...state.jobs.values()].map(({ facts, heartbeat, checkpoint, ready, plan, ...job }) => ({
    job_id: job.jobId,
    run: job.restarts,
    state: job.endedAs ?? facts?.state ?? null,
    user: facts?.user ?? null,
    name: facts?.name ?? null,
    partition: facts?.partition ?? null,
    nodes: facts?.nodes ?? [],
    cpus: facts?.cpus ?? null,
    started: iso(facts?.startAt ?? null),
    next_heartbeat: iso(heartbeat.dueAt),
    checkpoint: checkpoint && {
      action_id: checkpoint.actionId,
      reason: checkpoint.reason,
      kind: checkpoint.kind,
      since: iso(checkpoint.startedAt),
    },
    ready: ready && {
      action_id: ready.actionId,
      kind: ready.kind,
      run: ready.restarts,
      taken: iso(ready.takenAt),
      took_ms: ready.tookMs,
    },
    plan: plan && {
      step: plan.step,
      reason: plan.reason,
      node: plan.node,
      deadline: iso(plan.deadline),
      problem: plan.problem,
    },
  }));
}

/** The nodes that the daemon watches, as `GET /v1/status` shows them. */
export function nodesView(nodes: ReadonlyMap<string, NodeRecord>): object[] {
  return [...nodes.values()].map(({ facts, awaySince }) => ({
    node: facts.node,
    state: [facts.base, ...facts.flags].join('+'),
    reason: facts.reason,
    away_since: iso(awaySince),
  }));
}

/** The active notices: `GET /v1/notices`, and part of `GET /v1/status`. */
export function noticesView(notices: ReadonlyMap<string, NoticeRecord>): object[] {
  return [...notices.values()].map(({ notice, seenAt, waiting }) => ({
    id: notice.id,
    source: notice.source,
    kind: notice.kind,
    deadline: iso(notice.deadline),
    reason: notice.reason,
    dry_run: notice.dryRun,
    seen: iso(seenAt),
    ...(notice.kind === 'rebalance' ? { checkpoints_to_come: waiting.length } : {}),
  }));
}

/** The state of the node's own drain; null if there never was one. */
export function ownDrainView(drain: OwnDrain | null): object | null {
  return drain && { step: drain.step, reason: drain.reason };
}

/** `GET /v1/history`. */
export function historyView(lines: readonly HistoryLine[]): object[] {
  return lines.map(({ at, jobId, run, kind, message, details }) => ({
    time: iso(at),
    job_id: jobId,
    run,
    kind,
    message,
    details,
  }));
}

/** One line for `systemctl status`: changes at most once a minute while nothing happens to the node. */
export function statusLine(state: State, problems: readonly string[]): string {
  const jobs = [...state.jobs.values()].filter(({ facts, endedAt }) => facts !== null && endedAt === null);
  const moving = jobs.filter(
    ({ plan }) => plan !== null && plan.step !== 'failed' && plan.step !== 'rehearsed',
  ).length;
  const newest = Math.max(0, ...jobs.map(({ ready }) => ready?.takenAt ?? 0));
  const away = [...state.nodes.values()].filter(({ awaySince }) => awaySince !== null);
  const notices = [...state.notices.values()].slice(0, 3);
  return [
    count(jobs.length, 'job'),
    ...(newest > 0 ? [`last checkpoint ${iso(newest)?.slice(0, 16)}Z`] : []),
    ...notices.map(({ notice }) => noticeWords(notice)),
    ...away.map(({ facts }) => `node ${facts.node} goes away`),
    ...(moving > 0 ? [`${count(moving, 'job')} on the way to another node`] : []),
    ...problems,
  ].join(', ');
}

function noticeWords({ kind, source, deadline, dryRun }: Notice): string {
  const when = deadline === null ? '' : ` for ${iso(deadline)}`;
  return `${dryRun ? 'rehearsed ' : ''}${kind} notice from ${source}${when}`;
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}
