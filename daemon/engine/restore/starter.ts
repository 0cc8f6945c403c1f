import { slurmCommands } from '../../slurm/commands.ts';
import { jobQuery } from '../../slurm/query-job.ts';
import { Mutex } from '../../system/async/mutex.ts';
import { Lanes } from '../../system/lanes.ts';
import type { JobId, Millis } from '../../vocabulary/job.ts';
import { asOwner } from '../owner/as-owner.ts';
import { ownerHelpers } from '../owner/owner-helpers.ts';
import type { EnginePorts, Found, Starter, Verdict } from '../ports.ts';
import { begin } from './begin.ts';
import { anewMarks } from './choose/anew.ts';
import { forgetStart } from './choose/forget-start.ts';
import { leave, undo } from './failed.ts';
import { putFiles, taskOf } from './go.ts';
import { restoredLimits } from './limits.ts';
import { imagesOf } from './prepare/prepare.ts';
import { forgetRestored, isNoted, noteRestored, tidy } from './restored.ts';
import type { Parts } from './run/parts.ts';
import { placesOf } from './run/places.ts';
import { respondsBy } from './run/responds.ts';
import { type Phase, rollbacksOf, type StartedRun, tagOf } from './run/run.ts';
import { runStore } from './run/run-store.ts';
import { onceStoreIsBack } from './store-back.ts';

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
    look: jobQuery(exec, slurmCommands(config.slurm.bin)),
    ...ownerHelpers(asOwner(exec, lanes, config.asOwner), config.asOwner, signal),
    responds: respondsBy(exec, config.slurm.bin),
    runs: runStore(config.workDir),
    proc: '/proc',
    ...stands,
  };
  const anew = anewMarks(parts);
  const runs = new Map<JobId, StartedRun>();
  const read = new WeakMap<StartedRun, Found>();
  const turns = new Map<JobId, Mutex>();

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
    const turn = turns.get(jobId) ?? new Mutex();
    turns.set(jobId, turn);
    return turn.with(body);
  }

  /** What began anew while there was no engine. The store may be slow: only the jobs themselves wait for it. */
  void anew.jobs().then((jobs) => Promise.all(jobs.map((jobId) => inTurn(jobId, () => anew.settle(jobId)))));

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
      if (!phases.includes(run.phase)) return notItsTurn(run);
      const verdict = await verdictOf(run, body);
      // Helpers and commands end with the engine: that says nothing of the restore.
      return verdict.ok || !signal.aborted ? verdict : { ...verdict, later: true };
    });
  }

  async function verdictOf(run: StartedRun, body: (run: StartedRun) => Promise<Verdict>): Promise<Verdict> {
    try {
      return await body(run);
    } catch (error) {
      const { jobId, restarts } = run;
      log.error({ job_id: jobId, restarts, err: error }, 'a step of a restore failed');
      return { ok: false, message: (error as Error).message };
    }
  }

  const notItsTurn = ({ jobId, phase }: StartedRun): Verdict => {
    return { ok: false, message: `the restore of job ${jobId} is ${phase}: this is not its turn` };
  };

  /** While CRIU's tree stands still nothing waits for the store: what a run was read as is kept as long as the run. */
  async function foundOf(run: StartedRun): Promise<Found> {
    const { actionId, jobId } = run;
    const found = read.get(run) ?? (await onceStoreIsBack(parts, jobId, () => store.find(actionId, jobId)));
    if (!found) throw new Error(`checkpoint ${actionId} is gone`);
    read.set(run, found);
    return found;
  }

  return {
    standBy: parts.helpers.standBy,

    start: (ask) =>
      inTurn(ask.jobId, async () => {
        const before = runs.get(ask.jobId);
        try {
          await anew.settle(ask.jobId);
          const begun = await begin(parts, ask);
          runs.delete(ask.jobId);
          const run = begun?.type === 'restore' ? begun.run : null;
          if (before && !run) await leave(parts, before);
          if (before) await parts.runs.removeOthers(ask.jobId, run?.restarts ?? -1);
          if (begun?.type !== 'restore') return begun;
          runs.set(ask.jobId, begun.run);
          expect(begun.run);
          return { type: 'restore', actionId: begun.run.actionId, argv: begun.argv };
        } catch (error) {
          const message = (error as Error).message;
          if (signal.aborted) {
            // Of `before`, the next engine finds what is on the disk.
            log.info(
              { job_id: ask.jobId },
              `job ${ask.jobId}: the next engine sees to its start: ${message}`,
            );
            return { type: 'later', why: 'the engine is being stopped' };
          }
          runs.delete(ask.jobId);
          log.error({ job_id: ask.jobId, err: error }, `job ${ask.jobId} begins anew: ${message}`);
          // What the run before had put aside stays hidden otherwise.
          if (before) await leave(parts, before);
          await anew.add(ask);
          return { type: 'anew', why: message };
        }
      }),

    go: (jobId, pid) =>
      at(jobId, ['prepared', 'going'], async (run) => {
        const task = await taskOf(parts.proc, pid);
        if (!task) return { ok: false, message: `there is no process ${pid}` };
        // It had no answer, and has started nothing yet.
        const isAgain = run.task?.pid === pid && run.task.startTime === task.startTime;
        if (run.phase === 'going' && !isAgain) return notItsTurn(run);
        const going = await move(run, { phase: 'going', task });
        return putFiles(parts, going, await foundOf(going));
      }),

    // Again where the answer was lost: the tree stands still until there is one.
    check: (jobId) =>
      at(jobId, ['going', 'checked'], async (run) => {
        const { owner, task } = run;
        const places = placesOf(config.workDir, jobId, run.restarts);
        const found = await foundOf(run);
        const limits = await restoredLimits(parts.proc, task!, imagesOf(found, places));
        if (!limits.ok) return limits;
        for (const note of limits.notes) log.warn({ job_id: jobId, restarts: run.restarts }, note);
        const files = rollbacksOf(found.manifest, run).last;
        const tag = tagOf(jobId, run.restarts);
        const answer = await parts.asOwner(owner, [{ op: 'roll-back', tag, files, change: true }]);
        if (!answer.ok) return answer;
        for (const note of answer.notes) log.warn({ job_id: jobId, restarts: run.restarts }, note);
        read.set(await move(run, { phase: 'checked' }), found);
        return { ok: true };
      }),

    async restored(jobId, pids) {
      const verdict = await at(jobId, ['checked'], async (run) => {
        const noted = await noteRestored(parts, run, pids);
        if (!noted.ok) return noted;
        runs.delete(jobId);
        const fields = { job_id: jobId, restarts: run.restarts, action_id: run.actionId };
        log.info(fields, `job ${jobId} goes on from checkpoint ${run.actionId}`);
        await tidy(parts, run);
        return { ok: true };
      });
      if (verdict.ok || !(await isNoted(parts, jobId, pids))) return verdict;
      return { ok: true };
    },

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
        parts.helpers.close(jobId);
        await forgetRestored(parts, jobId);
        await forgetStart(config.socket.path, jobId);
        turns.delete(jobId);
      }),
  };
}
