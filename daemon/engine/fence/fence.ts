/*
 * Never two copies of one job. Slurm gives a node up that it has not heard for SlurmdTimeout, and runs its jobs anew
 * elsewhere; their old processes may live on, where slurmd alone has died or the network is cut. While slurmctld is
 * heard here, the fence asks nobody but this node's own slurmd. Once it is not, each batch run here is looked into: by
 * Slurm's word, or where Slurm cannot be asked the store's, a run that was superseded is ended, and one that nobody can
 * say anything about is frozen before Slurm may give it away. Twice the same word of Slurm's ends a run: a job may just
 * be starting here.
 */
import { type Background, inBackground } from '../../system/async/background.ts';
import { nextBeat } from '../../system/node-phase.ts';
import type { EpochMs, JobId, Millis } from '../../vocabulary/job.ts';
import { createAskSlurm } from './ask-slurm.ts';
import { type BatchRun, batchRuns } from './batch-runs.ts';
import { createEars } from './ears.ts';
import { createHolds, nameOf } from './hold.ts';
import { createJudge, type Words } from './judge.ts';
import type { FencePorts } from './ports.ts';
import { createSlurmds } from './slurmd.ts';
import { slurmdTimeout } from './slurmd-timeout.ts';
import { createStoreSide } from './store-side.ts';

/** Between two looks while nobody hears this node. A new node waits for three of them: `restore/choose/announce.ts`. */
const WHILE_SILENT_MS: Millis = 5_000;
/** Where Slurm goes on calling the jobs ours, it hears this node in a way that is not seen here. */
const UNSEEN_MS: Millis = 60_000;
const UNSEEN_AFTER = 6;
const FIRST_WITHIN: Millis = 10_000;

/** How often slurmd is asked. */
const periodOf = (slurmdTimeoutMs: Millis): Millis => Math.min(30_000, Math.max(2_000, slurmdTimeoutMs / 10));

export function startFence(ports: FencePorts, signal: AbortSignal): Background {
  const { clock, log, proc } = ports;
  const { node } = ports.config.slurm;
  const timeout = slurmdTimeout(ports);
  const ears = createEars(ports);
  const askSlurm = createAskSlurm(ports);
  const slurmds = createSlurmds(ports);
  const holds = createHolds({ ...ports, ended });
  const store = createStoreSide(ports);
  const judge = createJudge(ports, holds, store);
  let silentSince: EpochMs | null = null;
  let lastProblem = '';

  /** A run was ended here. */
  async function ended(jobId: JobId): Promise<void> {
    await slurmds.remembers(jobId);
    // It may wait for a start of that job, which may wait for the store: other runs must not wait with it.
    ports.ended(jobId).catch((error: unknown) => {
      log.error({ job_id: jobId, err: error }, `job ${jobId}: its end could not be noted`);
    });
  }

  async function turn(until: AbortSignal): Promise<Millis> {
    await timeout.refresh(until);
    const slurmdTimeoutMs = timeout.now();
    // Slurm may give nodes up sooner than by default.
    const period = timeout.isKnown() ? periodOf(slurmdTimeoutMs) : WHILE_SILENT_MS;
    const running = await batchRuns(proc);
    await holds.tidy();
    // Slurm may have given away what stands frozen: that it is heard again lets none of it go on.
    const runs = [...new Map([...holds.frozen(), ...running].map((run) => [nameOf(run), run])).values()];
    if ((runs.length === 0 && !slurmds.areDue()) || slurmdTimeoutMs === 0) {
      await calm('no job is left here');
      return period;
    }
    const startedAt = clock.now();
    const listening = ears.listen(slurmdTimeoutMs, until);
    const looking = silentSince === null ? null : look(runs, until);
    const heard = await listening;
    if (!heard.silent && holds.frozen().length === 0) {
      await looking;
      await slurmds.forget();
      await calm('slurmctld is heard again');
      store.settleIn();
      return period;
    }
    if (silentSince === null) {
      silentSince = startedAt;
      log.warn({ jobs: runs.map(({ jobId }) => jobId), why: heard.why }, 'Slurm may take this node for dead');
    }
    const words = await (looking ?? look(runs, until));
    until.throwIfAborted();
    await judge.judge(runs, words, { age: heard.age, slurmdTimeoutMs });
    if (words.some(({ slurm }) => slurm.type !== 'away')) await slurmds.forget();
    const isUnseen =
      words.length > 0 &&
      clock.now() - silentSince > UNSEEN_AFTER * slurmdTimeoutMs &&
      words.every(({ slurm }) => slurm.type === 'ours' || slurm.type === 'over');
    if (isUnseen) return UNSEEN_MS;
    return Math.max(0, startedAt + Math.min(WHILE_SILENT_MS, period) - clock.now());
  }

  async function look(runs: readonly BatchRun[], until: AbortSignal): Promise<Words[]> {
    const jobs = runs.map(({ jobId }) => jobId);
    const [slurm, words] = await Promise.all([askSlurm(jobs, until), store.look(runs)]);
    return runs.map(({ jobId }, at) => ({ slurm: slurm.get(jobId)!, store: words[at]! }));
  }

  /** Slurm hears this node, or there is nothing to fence. */
  async function calm(why: string): Promise<void> {
    for (const run of holds.frozen()) await holds.thaw(run);
    judge.forget();
    if (silentSince !== null) log.info({ why }, 'Slurm does not take this node for dead any more');
    silentSince = null;
  }

  return inBackground(signal, async (until) => {
    await holds.recall();
    await timeout.refresh(until);
    if (holds.frozen().length === 0)
      await clock.sleep(nextBeat(node, FIRST_WITHIN, clock.now()) - clock.now(), until);
    for (;;) {
      let pause = periodOf(timeout.now());
      try {
        pause = await turn(until);
      } catch (error) {
        until.throwIfAborted();
        const { message } = error as Error;
        if (message !== lastProblem) log.error({ err: error }, `old runs are not looked for: ${message}`);
        lastProblem = message;
      }
      await clock.sleep(pause, until);
    }
  });
}
