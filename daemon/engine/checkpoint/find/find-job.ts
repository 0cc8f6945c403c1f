import type { SlurmCommands } from '../../../slurm/commands.ts';
import { spoolSteps } from '../../../slurm/spool.ts';
import type { Clock, Exec } from '../../../system/ports.ts';
import type { JobFacts, JobId } from '../../../vocabulary/job.ts';
import { PRESENT_STATES } from '../../../vocabulary/slurm-states.ts';
import { type RestoredRun, readRunFile } from '../../proc/run-file.ts';
import { type BatchSteps, batchSteps, findTree, type JobTree, type TreeLook } from '../../proc/tree.ts';
import { type BatchLook, lookAtBatch } from './look.ts';

/** What finding a job needs of this node. */
export interface JobFinder {
  readonly exec: Exec;
  readonly clock: Clock;
  readonly slurm: SlurmCommands;
  readonly node: string;
  readonly runDir: string;
  /** `SlurmdSpoolDir`; rejects while nobody knows. */
  readonly spoolDir: () => Promise<string>;
  /** `/proc`. */
  readonly proc: string;
}

/** A job whose batch script runs on this node, and everything of it in one tree. */
export interface RunningJob {
  readonly facts: JobFacts;
  /** What names this job alone to scontrol. */
  readonly target: string;
  readonly output: readonly string[];
  readonly tree: JobTree;
}

export type FoundJob =
  | { readonly ok: true; readonly job: RunningJob }
  /** `final`: nothing here can be checkpointed. Else: nobody can say just now. */
  | { readonly ok: false; readonly final: boolean; readonly message: string };

/** A tree that changes while it is looked at is looked at again. */
const LOOKS = 4;
const BETWEEN_LOOKS_MS = 50;

/** The states of a job whose processes are on its nodes. */
export const PRESENT = PRESENT_STATES;
/** Of one whose processes can be dumped: Slurm suspends by the very cgroup that a dump has to thaw. */
export const RUNNING: ReadonlySet<string> = new Set(['RUNNING']);

/**
 * Looks at Slurm once, and then at the processes themselves. Refuses with a sentence what cannot be dumped: a job
 * that is elsewhere, not in one of `states`, on more than one node, with an active step, or with processes that
 * are in no tree.
 */
export async function findJob(
  finder: JobFinder,
  jobId: JobId,
  states: ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<FoundJob> {
  return findSeen(finder, jobId, states, await lookAround(finder, jobId, signal));
}

/** Slurm's word on a job, and where on this node its processes were meanwhile. */
export interface LookAround {
  readonly seen: BatchLook;
  readonly steps: BatchSteps;
}

/** A look at every process of the node takes about as long as slurmctld does, and does not hang on what it says. */
export async function lookAround(finder: JobFinder, jobId: JobId, signal?: AbortSignal): Promise<LookAround> {
  const [seen, steps] = await Promise.all([
    lookAtBatch(finder, jobId, signal),
    // Looked for again once they are needed, and its error is told then.
    batchSteps(finder.proc, jobId).catch(() => new Map()),
  ]);
  return { seen, steps };
}

/** The same as `findJob`, by a look that was taken already. The processes themselves are looked at now. */
export async function findSeen(
  finder: JobFinder,
  jobId: JobId,
  states: ReadonlySet<string>,
  { seen, steps: cgroups }: LookAround,
): Promise<FoundJob> {
  if (seen.type === 'unavailable')
    return unknown(`Slurm cannot be asked about job ${jobId}: ${seen.message}`);
  if (seen.type === 'absent') return no(`Slurm knows no job ${jobId}`);
  const { facts, target, output } = seen;
  const problem =
    unfit(facts, finder.node, states) ?? (target === null ? `job ${jobId} has no task yet` : null);
  if (problem !== null || target === null) return no(problem ?? '');
  const steps = await stepsOf(finder, jobId);
  if (typeof steps === 'string') return unknown(steps);
  if (steps.length > 0) {
    const names = steps.slice(0, 5).map((step) => `${jobId}.${step}`);
    return no(
      `job ${jobId} has an active step (${names.join(', ')}): it can be saved when the step has ended`,
    );
  }
  const look = await findProcesses(finder, facts, cgroups);
  return look.ok ? { ok: true, job: { facts, target, output, tree: look.tree } } : no(look.message);
}

const no = (message: string): FoundJob => ({ ok: false, final: true, message });
const unknown = (message: string): FoundJob => ({ ok: false, final: false, message });

function unfit(facts: JobFacts, node: string, states: ReadonlySet<string>): string | null {
  const { jobId, state, nodes, batchHost, hetJobId } = facts;
  if (!states.has(state)) return `job ${jobId} is not running: it is ${state}`;
  if (batchHost !== node)
    return `job ${jobId} is not here: its batch script runs on ${batchHost ?? 'no node'}, and this is ${node}`;
  if (nodes.length !== 1 || hetJobId !== null)
    return `job ${jobId} spans ${nodes.length} nodes${hetJobId === null ? '' : ' (heterogeneous)'}: only a job of one node can be saved`;
  return null;
}

async function stepsOf(finder: JobFinder, jobId: JobId): Promise<readonly number[] | string> {
  try {
    return await spoolSteps(await finder.spoolDir(), finder.node, jobId);
  } catch (error) {
    return `the steps of job ${jobId} cannot be looked at: ${(error as Error).message}`;
  }
}

async function findProcesses(finder: JobFinder, facts: JobFacts, cgroups: BatchSteps): Promise<TreeLook> {
  const { jobId, restarts, uid } = facts;
  let noted: RestoredRun | null;
  try {
    noted = await readRunFile(finder.runDir, jobId);
  } catch (error) {
    return { ok: false, message: `how job ${jobId} was restored is not known: ${(error as Error).message}` };
  }
  const restored = noted?.restarts === restarts ? noted : null;
  for (let looks = 1; ; looks++) {
    const sought = { proc: finder.proc, jobId, uid, restored };
    const look = await findTree(looks === 1 ? { ...sought, steps: cgroups } : sought);
    if (look.ok || looks === LOOKS) return look;
    await finder.clock.sleep(BETWEEN_LOOKS_MS);
  }
}
