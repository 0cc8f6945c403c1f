import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { HistoryLine } from '../../daemon/journal/entries.ts';
import { openJournal } from '../../daemon/journal/journal.ts';
import type { Log } from '../../daemon/system/ports.ts';
import type { Entry } from '../support/cedana/entry.ts';
import type { Rig } from './rig.ts';
import { type JobPlan, type Scenario, staysDrained } from './scenario.ts';

/** A deadline that leaves a guard some seconds at most, of which each try takes two commands. */
const CLOSE_DEADLINE_MS = 10_000;

/** All that is wrong at the end of a run, one sentence each. */
export function verdict(story: Scenario, rig: Rig): string[] {
  const { wrong, history } = journalVerdict(story, rig);
  return [
    ...rig.daemon.crashes,
    ...rig.api.violations.map((violation) => `the API's contract: ${violation}`),
    ...story.jobs.flatMap((job) => jobVerdict(story, rig, job, history)),
    ...drainVerdict(story, rig),
    ...wrong,
  ];
}

function jobVerdict(story: Scenario, rig: Rig, plan: JobPlan, history: readonly HistoryLine[]): string[] {
  const { jobId } = plan;
  const wrong: string[] = [];
  const restores = rig.restored.filter((run) => run.jobId === jobId);
  const now = rig.cluster.jobs.get(jobId);
  if (restores.length > 1) wrong.push(`job ${jobId} was restored ${restores.length} times`);
  wrong.push(...repeated(rig, jobId));
  for (const { requeue } of restores) {
    // Slurm may bring back nothing beside the new job; the engine's own requeue needs what the user set.
    const wanted = story.sourceJob === 'leave' && plan.requeue;
    const told = history.some((line) => line.kind === 'guard-failed' && line.jobId === jobId);
    if (requeue === wanted || (mayGoUnguarded(story) && told)) continue;
    wrong.push(`job ${jobId} had Requeue=${Number(requeue)} when it was restored`);
  }
  if (restores.length === 0) {
    if (staysDrained(story)) wrong.push(`the restore of job ${jobId} is lost`);
    if (now?.state !== 'RUNNING') wrong.push(`job ${jobId} was not restored, and is ${now?.state ?? 'gone'}`);
    if (now?.requeue !== plan.requeue) wrong.push(`job ${jobId} stays with Requeue=${Number(now?.requeue)}`);
  } else if (story.sourceJob === 'leave') {
    if (now?.restarts !== 1) wrong.push(`job ${jobId} was requeued ${now?.restarts} times`);
    if (now?.requeue !== plan.requeue)
      wrong.push(`job ${jobId} goes on with Requeue=${Number(now?.requeue)}`);
    if (now?.state !== 'RUNNING') wrong.push(`job ${jobId} is ${now?.state ?? 'gone'} after its requeue`);
  } else if (now !== undefined && now.state !== 'CANCELLED') {
    wrong.push(`the old run of job ${jobId} is ${now.state}`);
  }
  return wrong;
}

/**
 * A slurmctld that is away for long may leave the guard out, and so may a deadline that leaves no time for a Slurm
 * that answers late, as where these daemons take the cores from each other: never without a word.
 */
function mayGoUnguarded({ cause, slurmAway }: Scenario): boolean {
  const deadlineMs = cause.type === 'drain' ? null : cause.deadlineMs;
  return slurmAway !== null || (deadlineMs !== null && deadlineMs <= CLOSE_DEADLINE_MS);
}

/** Restores of a run that reached the API after one that was carried out. */
function repeated({ api }: Rig, jobId: number): string[] {
  const requests = api.entries.filter((entry) => jobOf(api, entry) === jobId);
  const first = requests.findIndex(({ acted }) => acted);
  if (first < 0) return [];
  const { answered } = requests[first]!;
  const answer = answered ? 'answered' : 'not answered';
  return requests
    .slice(first + 1)
    .map(({ at }) => `the restore of job ${jobId}, carried out and ${answer}, was sent again at ${at}`);
}

function jobOf(api: Rig['api'], { route, body }: Entry): number | null {
  if (route !== 'restore' || body === '') return null;
  return Number(api.service.checkpoints.get(JSON.parse(body).action_id)?.jobId);
}

/** The node is drained once for a notice, with its reason, and no other than that is ever lifted. */
function drainVerdict({ cause, lift, ...story }: Scenario, { cluster, api }: Rig): string[] {
  const { drains } = cluster;
  if (cause.type === 'drain') return drains.length > 0 ? [`ckptd drained the node: ${drains.join()}`] : [];
  const wrong = drains
    .filter((reason) => !reason.startsWith(`ckptd: termination notice ${cause.type}, `))
    .map((reason) => `the node was drained with the reason ${reason}`);
  const most = lift === null ? 1 : 2;
  const least = staysDrained({ ...story, cause, lift }) ? 1 : 0;
  if (drains.length > most || drains.length < least)
    wrong.push(`the node was drained ${drains.length} times`);
  for (const { route, body } of api.entries) {
    const reason = route === 'restore' && body !== '' ? JSON.parse(body).reason : 'nodeTermination';
    if (reason !== 'nodeTermination') wrong.push(`a restore was asked for with reason ${reason}`);
  }
  return wrong;
}

function journalVerdict(
  story: Scenario,
  { stateDir }: Rig,
): { readonly wrong: readonly string[]; readonly history: readonly HistoryLine[] } {
  const wrong: string[] = [];
  const say = (_fields: object, message: string) => void wrong.push(`the journal: ${message}`);
  const log: Log = { debug: () => {}, info: () => {}, warn: say, error: say, fatal: say };
  const journal = openJournal({ dir: stateDir, log, now: Date.now() });
  const { state, outbox } = journal.load();
  for (const { effect } of outbox) wrong.push(`unsettled in the journal: ${effect.id}`);
  for (const job of state?.jobs.values() ?? []) {
    if (job.plan !== null || staysDrained(story)) wrong.push(`job ${job.jobId} is left in the journal`);
  }
  if (state?.ownDrain?.step === 'setting' || state?.ownDrain?.step === 'lifting') {
    wrong.push(`the drain of the node is left in the middle: ${JSON.stringify(state.ownDrain)}`);
  }
  const standing = state?.notices.size ?? 0;
  const wanted = story.cause.type !== 'drain' && staysDrained(story);
  if (standing > 0 !== wanted) wrong.push(`${standing} notices stand`);
  const history = journal.history({ limit: 10_000 });
  for (const { kind, message } of history) {
    if (['job-lost', 'source-remains'].includes(kind)) wrong.push(`history says ${kind}: ${message}`);
  }
  journal.close();
  const db = new DatabaseSync(join(stateDir, 'journal.db'), { readOnly: true });
  const [check] = db.prepare('PRAGMA integrity_check').all();
  if (check?.['integrity_check'] !== 'ok') wrong.push(`the journal is damaged: ${JSON.stringify(check)}`);
  db.close();
  return { wrong, history };
}
