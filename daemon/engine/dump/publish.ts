import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../system/ports.ts';
import type { CheckpointKind, EpochMs } from '../../vocabulary/job.ts';
import type { RunningJob } from '../job/find-job.ts';
import { MANIFEST_VERSION, type Manifest } from '../manifest.ts';
import type { Found, Pending, Store } from '../ports.ts';
import { storeFile } from './compress.ts';
import { RESTORE_OPTIONS } from './criu-arguments.ts';
import type { Machine } from './machine.ts';
import type { OpenedFiles } from './opened-files.ts';
import type { Staging } from './staging.ts';

/** What was taken of a job, on this node's disk. */
export interface Taken {
  readonly actionId: string;
  readonly job: RunningJob;
  readonly kind: CheckpointKind;
  readonly reason: Manifest['reason'];
  readonly takenAt: EpochMs;
  readonly frozenMs: number;
  /** Null for `rootfsonly`. */
  readonly criuVersion: string | null;
  readonly rollBack: OpenedFiles['rollBack'];
  /** Null where nothing of this node is carried. */
  readonly carried: readonly string[] | null;
  readonly staging: Staging;
}

export interface Publisher {
  readonly store: Store;
  readonly clock: Clock;
  readonly clusterId: string;
  readonly node: string;
  readonly compress: 'zstd' | 'none';
  readonly machine: () => Promise<Machine>;
}

/** Brings it to the shared file system, where it appears as a whole. After a rejection nothing of it is left there. */
export async function publish(publisher: Publisher, taken: Taken, signal: AbortSignal): Promise<Found> {
  const pending = await publisher.store.begin(taken.job.facts.jobId, taken.actionId);
  try {
    const stored = await storeAll(pending, taken, publisher.compress, signal);
    return await pending.publish(manifestOf(publisher, taken, stored, await publisher.machine()));
  } catch (error) {
    await pending.discard();
    throw error;
  }
}

type Stored = Pick<Manifest, 'images' | 'archive'>;

async function storeAll(
  pending: Pending,
  { staging, criuVersion, carried }: Taken,
  compress: 'zstd' | 'none',
  signal: AbortSignal,
): Promise<Stored> {
  const suffix = compress === 'zstd' ? '.zst' : '';
  const images: Manifest['images'][number][] = [];
  await mkdir(join(pending.dir, 'images'), { mode: 0o700 });
  for (const name of criuVersion === null ? [] : (await readdir(staging.images)).sort()) {
    const target = join(pending.dir, 'images', `${name}${suffix}`);
    images.push({ name, ...(await storeFile(join(staging.images, name), target, compress, signal)) });
  }
  await storeFile(staging.record, join(pending.dir, 'record.zst'), 'zstd', signal);
  if (carried === null) return { images, archive: null };
  const name = `local.tar${suffix}`;
  const { storedBytes } = await storeFile(staging.archive, join(pending.dir, name), compress, signal);
  return { images, archive: { name, bytes: storedBytes } };
}

/** Text of the user's own, cut where a manifest takes no more. */
export const asWord = (text: string): string => text.slice(0, 1024);

function manifestOf(
  { clock, clusterId, node, compress }: Publisher,
  taken: Taken,
  { images, archive }: Stored,
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
