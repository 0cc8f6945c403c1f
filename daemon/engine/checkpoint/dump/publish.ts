import type { Clock } from '../../../system/ports.ts';
import type { CheckpointKind, EpochMs } from '../../../vocabulary/job.ts';
import { RESTORE_OPTIONS } from '../../criu/arguments.ts';
import type { Machine } from '../../criu/machine.ts';
import { MANIFEST_VERSION, type Manifest } from '../../manifest.ts';
import type { Found, Store } from '../../ports.ts';
import { asStoreError } from '../../store-error.ts';
import type { RunningJob } from '../find/find-job.ts';
import type { OpenedFiles } from './opened-files.ts';
import { type Dumped, type Stored, storeAll } from './store-all.ts';

/** What was taken of a job, on this node's disk. */
export interface Taken extends Dumped {
  readonly actionId: string;
  readonly job: RunningJob;
  readonly kind: CheckpointKind;
  readonly reason: Manifest['reason'];
  readonly takenAt: EpochMs;
  readonly frozenMs: number;
  readonly rollBack: OpenedFiles['rollBack'];
}

export interface Publisher {
  readonly store: Store;
  readonly clock: Clock;
  readonly clusterId: string;
  readonly node: string;
  /** `zstd`: where it makes files smaller. */
  readonly compress: 'zstd' | 'none';
  readonly machine: () => Promise<Machine>;
}

/** Brings it to the shared file system, where it appears as a whole. After a rejection nothing of it is left there. */
export async function publish(publisher: Publisher, taken: Taken, signal: AbortSignal): Promise<Found> {
  // Many CPUs take the kernel long to tell of.
  const machine = publisher.machine();
  machine.catch(() => undefined);
  const pending = await publisher.store.begin(taken.job.facts.jobId, taken.actionId);
  try {
    const stored = await storeAll(pending.dir, taken, publisher.compress, signal);
    return await pending.publish(manifestOf(publisher, taken, stored, await machine));
  } catch (error) {
    await pending.discard();
    const isSystems = typeof (error as NodeJS.ErrnoException).errno === 'number';
    throw isSystems ? asStoreError(error, 'cannot write into', pending.dir) : error;
  }
}

/** Text of the user's own, cut where a manifest takes no more. */
export const asWord = (text: string): string => text.slice(0, 1024);

function manifestOf(
  { clock, clusterId, node }: Publisher,
  taken: Taken,
  { compress, images, archive }: Stored,
  machine: Machine,
): Manifest {
  const { facts, tree, output } = taken.job;
  return {
    version: MANIFEST_VERSION,
    actionId: taken.actionId,
    clusterId,
    jobId: facts.jobId,
    restarts: facts.restarts,
    uid: facts.uid,
    gid: tree.root.gid,
    user: asWord(facts.user),
    jobName: asWord(facts.name),
    submitAt: facts.submitAt,
    node,
    kind: taken.kind,
    reason: taken.reason,
    takenAt: taken.takenAt,
    publishedAt: clock.now(),
    frozenMs: taken.frozenMs,
    criu:
      taken.criuVersion === null
        ? null
        : { version: taken.criuVersion, restoreOptions: [...RESTORE_OPTIONS] },
    cpuFlags: machine.cpuFlags,
    kernel: machine.kernel,
    rootPid: tree.root.nsPids.at(-1)!,
    compress,
    images,
    archive,
    files: taken.rollBack,
    output: output.filter((path) => path.length <= 4096),
    carried: taken.carried ?? [],
  };
}
