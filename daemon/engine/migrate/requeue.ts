import type { SlurmCommands } from '../../slurm/commands.ts';
import type { Clock, CommandResult, Exec } from '../../system/ports.ts';
import type { JobId, Millis } from '../../vocabulary/job.ts';
import { type BatchLook, lookAtBatch } from '../checkpoint/find/look.ts';

export interface Requeuer {
  readonly exec: Exec;
  readonly slurm: SlurmCommands;
  readonly clock: Clock;
}

/** The run that is to give way to the next one. */
export interface OldRun {
  readonly jobId: JobId;
  readonly restarts: number;
  readonly uid: number;
  /** What names the job alone to scontrol. */
  readonly target: string;
  /** The states that it may be requeued from: a job that is ending by itself must not come back. */
  readonly states: ReadonlySet<string>;
}

export type Requeued =
  | { readonly type: 'accepted' }
  /** Slurm said no, or the run is over: it will not be requeued. */
  | { readonly type: 'refused'; readonly message: string }
  /** Nobody answered in time. `perhaps`: Slurm may have been told, and may still do it. */
  | { readonly type: 'unknown'; readonly perhaps: boolean; readonly message: string };

/** slurmctld's own refusals (`slurm_strerror`): asking again changes nothing, where the run is still as it was. */
const FINAL = /disabled|denied|Invalid|not permitted|pending execution|already|Requested node/i;
/** It was never reached. */
const UNSENT = /connect failure|Connection refused|No route to host|standby/i;
/** The job is frozen meanwhile: a slurmctld that is being restarted is waited for, one that is gone is not. */
export const ASK_FOR_MS: Millis = 60_000;
const BETWEEN_MS: Millis = 2_000;

/**
 * Asks Slurm to requeue this very run, again and again until it answers. Before each time it looks whether that has
 * happened already: a lost answer must not make a second requeue, nor bring back a job that its owner cancelled.
 */
export async function requeue(requeuer: Requeuer, run: OldRun, signal: AbortSignal): Promise<Requeued> {
  const { exec, slurm, clock } = requeuer;
  const until = clock.now() + ASK_FOR_MS;
  let perhaps = false;
  for (;;) {
    const seen = await lookAtBatch(requeuer, run.jobId);
    const state = seen.type === 'unavailable' ? null : stateOf(seen, run);
    if (state !== null && state.type !== 'here') return state;
    let message = seen.type === 'unavailable' ? seen.message : '';
    if (state !== null) {
      const result = await exec.run({
        kind: 'scontrol-requeue',
        file: slurm.path('scontrol'),
        args: ['requeue', run.target],
        timeoutMs: slurm.timeoutMs,
      });
      const answer = readAnswer(result);
      if (answer.type === 'accepted') return answer;
      if (answer.type === 'refused') {
        const now = await whatNow(requeuer, run);
        if (now !== null) return now.type === 'here' ? answer : now;
        perhaps = true;
      } else perhaps ||= answer.perhaps;
      message = answer.message;
    }
    if (clock.now() >= until || signal.aborted) return { type: 'unknown', perhaps, message };
    await clock.sleep(BETWEEN_MS, signal).catch(() => undefined);
  }
}

/**
 * "Job is pending execution" is what Slurm says of a job that it has just requeued: by an earlier ask whose answer was
 * lost, or an administrator's. Null: nobody can say.
 */
async function whatNow(requeuer: Requeuer, run: OldRun): Promise<ReturnType<typeof stateOf> | null> {
  const seen = await lookAtBatch(requeuer, run.jobId);
  return seen.type === 'unavailable' ? null : stateOf(seen, run);
}

/** What Slurm's look at a job says of this run; `here`: as it was. */
export function stateOf(
  seen: Exclude<BatchLook, { type: 'unavailable' }>,
  { jobId, restarts, uid, states }: Omit<OldRun, 'target'>,
): { readonly type: 'here' } | Extract<Requeued, { type: 'accepted' | 'refused' }> {
  if (seen.type === 'absent') return { type: 'refused', message: `Slurm knows no job ${jobId} any more` };
  if (seen.facts.uid !== uid)
    return { type: 'refused', message: `job ${jobId} is another user's (uid ${seen.facts.uid}) now` };
  if (seen.facts.restarts > restarts) return { type: 'accepted' };
  if (!states.has(seen.facts.state) || seen.facts.restarts < restarts)
    return { type: 'refused', message: `job ${jobId} is ${seen.facts.state}: it is not requeued` };
  return { type: 'here' };
}

function readAnswer(result: CommandResult): Requeued {
  if (result.ok) return { type: 'accepted' };
  const message = result.stderr.trim().slice(0, 500) || result.message;
  if (result.why === 'exit' && FINAL.test(result.stderr)) return { type: 'refused', message };
  const unsent = result.why === 'missing' || UNSENT.test(result.stderr);
  return { type: 'unknown', perhaps: !unsent, message };
}
