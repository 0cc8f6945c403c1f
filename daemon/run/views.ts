import type { HistoryLine } from '../journal/journal.ts';
import type { NodeRecord, State } from '../vocabulary/state.ts';

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
    started: iso(facts?.startAt),
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
    plan: plan && { step: plan.step, reason: plan.reason, node: plan.node, problem: plan.problem },
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

/** One line for `systemctl status`. */
export function statusLine(state: State, problems: readonly string[]): string {
  const jobs = [...state.jobs.values()].filter(({ facts, endedAt }) => facts !== null && endedAt === null);
  const underWay = jobs.filter(({ checkpoint }) => checkpoint !== null).length;
  const moving = jobs.filter(({ plan }) => plan !== null && plan.step !== 'failed').length;
  const parts = [count(jobs.length, 'job')];
  if (underWay > 0) parts.push(`${count(underWay, 'checkpoint')} under way`);
  if (moving > 0) parts.push(`${count(moving, 'job')} on the way to another node`);
  const newest = Math.max(0, ...jobs.map(({ ready }) => ready?.takenAt ?? 0));
  if (newest > 0) parts.push(`last checkpoint ${iso(newest)}`);
  return [...parts, ...problems].join(', ');
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}

function iso(at: number | null | undefined): string | null {
  return at === null || at === undefined ? null : new Date(at).toISOString();
}
