import { slurmCommands } from '../../sources/slurm/commands.ts';
import { jobLooker } from '../../sources/slurm/look.ts';
import { Lanes } from '../../system/lanes.ts';
import { Turns } from '../../system/turns.ts';
import type { JobId, Millis } from '../../vocabulary/job.ts';
import type { EnginePorts, Starter, Verdict } from '../ports.ts';
import { asOwner } from './as-owner.ts';
import { begin } from './begin.ts';
import { checkTree } from './check.ts';
import { leave, undo } from './failed.ts';
import { putFiles, taskOf } from './go.ts';
import type { Parts } from './parts.ts';
import { placesOf } from './places.ts';
import { forgetRestored, noteRestored, tidy } from './restored.ts';
import { type Phase, rollbacksOf, type StartedRun } from './run.ts';
import { runStore } from './run-store.ts';

/** From the plan to the task that asks for its files, slurmstepd takes seconds. */
const MOST_PREPARED_MS: Millis = 10 * 60_000;

/**
 * Jobs that come back on this node. What is asked of a job is done one after the other, and only in its order: a
 * report on a run that is not at that point any more changes nothing. `stands`: in for parts, in tests.
 */
export function createStarter(ports: EnginePorts, stands: Partial<Parts> = {}): Starter {
  const { config, store, exec, clock, log, signal } = ports;
  const lanes = new Lanes();
  const parts: Parts = {
    ...ports,
    lanes,
    look: jobLooker(exec, slurmCommands(config.slurm.bin)),
    asOwner: asOwner(exec, lanes, config.asOwner),
    runs: runStore(config.workDir),
    proc: '/proc',
    ...stands,
  };
  const runs = new Map<JobId, StartedRun>();
  const turns = new Map<JobId, Turns>();

  /** What an engine before this one left: the plugin may still come for it. */
  const recovered = parts.runs.readAll().then(
    (left) => {
      for (const run of left) {
        runs.set(run.jobId, run);
        expect(run);
      }
    },
    (error: unknown) => log.error({ err: error }, 'the runs that were being restored cannot be read'),
  );

  async function inTurn<T>(jobId: JobId, body: () => Promise<T>): Promise<T> {
    await recovered;
    const turn = turns.get(jobId) ?? new Turns();
    turns.set(jobId, turn);
    return turn.with(body);
  }

  /** A plugin that never comes back must not keep the job's output aside. */
  function expect(run: StartedRun): void {
    if (run.phase !== 'preparing' && run.phase !== 'prepared') return;
    void clock
      .sleep(MOST_PREPARED_MS, signal)
      .then(() =>
        inTurn(run.jobId, async () => {
          if (runs.get(run.jobId) === run) await giveUp(run, 'its batch task never asked for it', false);
        }),
      )
      .catch(() => undefined);
  }

  async function giveUp(run: StartedRun, because: string, waiting: boolean): Promise<void> {
    runs.delete(run.jobId);
    await undo(parts, run, because, waiting);
  }

  async function move(run: StartedRun, change: Partial<StartedRun>): Promise<StartedRun> {
    const moved = { ...run, ...change };
    await parts.runs.write(moved);
    runs.set(run.jobId, moved);
    return moved;
  }

  /** The run, if it is where `body` goes on from; and whatever goes wrong is a verdict. */
  function at(
    jobId: JobId,
    phases: readonly Phase[],
    body: (run: StartedRun) => Promise<Verdict>,
  ): Promise<Verdict> {
    return inTurn(jobId, async () => {
      const run = runs.get(jobId);
      if (!run) return { ok: false, message: `job ${jobId} is not being restored here` };
      if (!phases.includes(run.phase))
        return { ok: false, message: `the restore of job ${jobId} is ${run.phase}: this is not its turn` };
      try {
        return await body(run);
      } catch (error) {
        log.error({ job_id: jobId, restarts: run.restarts, err: error }, 'a step of a restore failed');
        return { ok: false, message: (error as Error).message };
      }
    });
  }

  async function foundOf({ actionId, jobId }: StartedRun) {
    const found = await store.find(actionId, jobId);
    if (!found) throw new Error(`checkpoint ${actionId} is gone`);
    return found;
  }

  return {
    start: (ask) =>
      inTurn(ask.jobId, async () => {
        const before = runs.get(ask.jobId);
        runs.delete(ask.jobId);
        try {
          const begun = await begin(parts, ask);
          if (before && !begun) await leave(parts, before);
          if (before) await parts.runs.removeOthers(ask.jobId, begun?.run.restarts ?? -1);
          if (!begun) return null;
          runs.set(ask.jobId, begun.run);
          expect(begun.run);
          return { actionId: begun.run.actionId, argv: begun.argv };
        } catch (error) {
          const message = (error as Error).message;
          log.error({ job_id: ask.jobId, err: error }, `job ${ask.jobId} begins anew: ${message}`);
          return null;
        }
      }),

    go: (jobId, pid) =>
      at(jobId, ['prepared'], async (run) => {
        const task = await taskOf(parts.proc, pid);
        if (!task) return { ok: false, message: `there is no process ${pid}` };
        const going = await move(run, { phase: 'going', task });
        return putFiles(parts, going, await foundOf(going));
      }),

    check: (jobId) =>
      at(jobId, ['going'], async (run) => {
        const { owner, task } = run;
        const { log: criuLog } = placesOf(config.workDir, jobId, run.restarts);
        const verdict = await checkTree({
          proc: parts.proc,
          owner,
          task: task!,
          log: criuLog,
          asOwner: parts.asOwner,
        });
        if (!verdict.ok) return verdict;
        const files = rollbacksOf((await foundOf(run)).manifest).last;
        const answer = await parts.asOwner(owner, [{ op: 'roll-back', files, change: true }]);
        if (!answer.ok) return answer;
        await move(run, { phase: 'checked' });
        return { ok: true };
      }),

    restored: (jobId, pids) =>
      at(jobId, ['checked'], async (run) => {
        const noted = await noteRestored(parts, run, pids);
        if (!noted.ok) return noted;
        runs.delete(jobId);
        const fields = { job_id: jobId, restarts: run.restarts, action_id: run.actionId };
        log.info(fields, `job ${jobId} goes on from checkpoint ${run.actionId}`);
        await tidy(parts, run);
        return { ok: true };
      }),

    failed: (jobId, message) =>
      at(jobId, ['preparing', 'prepared', 'going', 'checked'], async (run) => {
        await giveUp(run, message, true);
        return { ok: true };
      }),

    ended: (jobId) =>
      inTurn(jobId, async () => {
        const run = runs.get(jobId);
        if (run) {
          runs.delete(jobId);
          await leave(parts, run);
        }
        await forgetRestored(parts, jobId);
        turns.delete(jobId);
      }),
  };
}
