import { BoundedMap } from '../../system/bounded-map.ts';
import type { CheckpointKind, EpochMs, JobId } from '../../vocabulary/job.ts';
import type { Manifest } from '../manifest.ts';
import { readCheckpoint, whyDeprecated } from './checkpoint.ts';
import { attempt, guardJob, type StoreContext } from './fs/context.ts';
import { namesIn } from './fs/marks.ts';
import { isActionId } from './fs/places.ts';
import { exists, jobsIn } from './fs/search.ts';

/** A checkpoint in short. */
export interface Listed {
  readonly actionId: string;
  readonly jobId: JobId;
  /** Null where the manifest cannot be used; `problem` says why. */
  readonly summary: Summary | null;
  readonly deprecated: string | null;
  readonly problem: string | null;
}

export interface Summary {
  readonly restarts: number;
  readonly jobName: string;
  readonly user: string;
  readonly node: string;
  readonly kind: CheckpointKind;
  readonly reason: Manifest['reason'];
  readonly takenAt: EpochMs;
  readonly storedBytes: number;
}

/** A list of more is of no use to anybody, and would cost the file system a look at each. */
const MOST_JOBS = 500;
const MOST_LISTED = 2_000;

/** Lists that are asked for while one is being made get that one. */
export function createListing(store: StoreContext): () => Promise<readonly Listed[]> {
  const summaries = new BoundedMap<string, Summary>(2 * MOST_LISTED);
  let making: Promise<readonly Listed[]> | null = null;

  async function make(): Promise<readonly Listed[]> {
    if (!(await guardJob(store, null))) return [];
    const { places, marks, node } = store;
    const jobs = await attempt('cannot list', places.cluster, async () => {
      const own = [...(await marks.of(node))].sort((a, b) => b - a);
      return [...new Set([...own, ...(await jobsIn(places))])].slice(0, MOST_JOBS);
    });
    const all: Listed[] = [];
    for (const jobId of jobs) {
      const folder = places.job(jobId);
      const names = await attempt('cannot list', folder, () => namesIn(folder));
      for (const actionId of names.filter(isActionId)) {
        if (all.length >= MOST_LISTED) return all;
        const listed = await listOne(jobId, actionId);
        if (listed !== null) all.push(listed);
      }
    }
    return all;
  }

  async function listOne(jobId: JobId, actionId: string): Promise<Listed | null> {
    const { places, clusterId } = store;
    const dir = places.checkpoint(jobId, actionId);
    const known = summaries.get(actionId);
    try {
      // A manifest never changes once it is there; it may be gone.
      if (known !== undefined) {
        if (!(await exists(dir))) return null;
        return { actionId, jobId, summary: known, deprecated: await whyDeprecated(dir), problem: null };
      }
      const found = await readCheckpoint(places, clusterId, jobId, actionId);
      if (found === null) return null;
      const summary = summaryOf(found.manifest);
      summaries.set(actionId, summary);
      return { actionId, jobId, summary, deprecated: found.deprecated, problem: null };
    } catch (error) {
      return { actionId, jobId, summary: null, deprecated: null, problem: (error as Error).message };
    }
  }

  return () => {
    making ??= make().finally(() => {
      making = null;
    });
    return making;
  };
}

function summaryOf(manifest: Manifest): Summary {
  const { restarts, jobName, user, node, kind, reason, takenAt, images, archive } = manifest;
  const storedBytes = images.reduce((sum, image) => sum + image.storedBytes, archive?.bytes ?? 0);
  return { restarts, jobName, user, node, kind, reason, takenAt, storedBytes };
}
