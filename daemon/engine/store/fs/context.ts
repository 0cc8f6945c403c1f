import { BoundedMap } from '../../../system/bounded-map.ts';
import type { Log } from '../../../system/ports.ts';
import type { JobId } from '../../../vocabulary/job.ts';
import { asStoreError } from '../../store-error.ts';
import { guardFolder, guardStore } from './guard.ts';
import { createMarks, type Marks } from './marks.ts';
import { type Places, placesOf } from './places.ts';
import { createTrash, type Trash } from './trash.ts';

export interface StoreOptions {
  /** As the configuration has them. */
  readonly dir: string;
  readonly clusterId: string;
  readonly keep: number;
  /** This node's name in Slurm. */
  readonly node: string;
  readonly log: Log;
}

/** What all parts of the store share. */
export interface StoreContext extends StoreOptions {
  readonly places: Places;
  readonly marks: Marks;
  readonly trash: Trash;
  /** Which job an action id belongs to: so that most look-ups need no search. */
  readonly jobs: BoundedMap<string, JobId>;
  /** Action ids that this process is writing. */
  readonly writing: Set<string>;
  /** Paths of which it was said that they cannot be used: each once. */
  readonly refused: BoundedMap<string, string>;
}

const MOST_REMEMBERED = 20_000;

export function storeContext(options: StoreOptions): StoreContext {
  const places = placesOf(options.dir, options.clusterId);
  const marks = createMarks(places, options.node);
  return {
    ...options,
    places,
    marks,
    trash: createTrash(marks.ensureNode),
    jobs: new BoundedMap(MOST_REMEMBERED),
    writing: new Set(),
    refused: new BoundedMap(1_000),
  };
}

/** Whether the folders down to the job's are there. @throws StoreError where one is not safe. */
export async function guardJob({ places }: StoreContext, jobId: JobId | null): Promise<boolean> {
  await guardStore(places.dir);
  if (!(await guardFolder(places.cluster))) return false;
  return jobId === null || guardFolder(places.job(jobId));
}

/** Any error of `body` as a StoreError; `what` and `path` say what was tried. */
export async function attempt<T>(what: string, path: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    throw asStoreError(error, what, path);
  }
}
