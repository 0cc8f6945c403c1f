import { mapConcurrent } from '../../system/async/map-concurrent.ts';
import { BoundedMap } from '../../system/bounded-map.ts';
import type { JobId } from '../../vocabulary/job.ts';
import type { Store } from '../ports.ts';
import { readCheckpoint } from './checkpoint.ts';
import { attempt, guardJob, type StoreContext } from './fs/context.ts';
import { namesIn } from './fs/marks.ts';
import { isActionId } from './fs/places.ts';
import { jobsIn } from './fs/search.ts';

/** Those with the nearest ids: the tasks of an array and the jobs of a loop are numbered in a row. */
const MOST_JOBS = 500;
const AT_ONCE = 8;
const MOST_KNOWN = 2_000;
/** A job that appends to more is looked at each time. */
const MOST_KEPT = 100;

export function createNamedByOthers(store: StoreContext): Store['namedByOthers'] {
  /** What a checkpoint names. A manifest never changes once it is there. */
  const known = new BoundedMap<string, readonly string[]>(MOST_KNOWN);

  async function namesOf(jobId: JobId, actionId: string): Promise<readonly string[]> {
    const seen = known.get(actionId);
    if (seen !== undefined) return seen;
    // One that cannot be used cannot bring its job back to the file either.
    const found = await readCheckpoint(store.places, store.clusterId, jobId, actionId).catch(() => null);
    const names = (found?.manifest.files ?? []).filter(({ append }) => append).map(nameOf);
    if (found !== null && names.length <= MOST_KEPT) known.set(actionId, names);
    return names;
  }

  return async (jobId, files) => {
    const { places } = store;
    if (files.length === 0 || !(await guardJob(store, null))) return [];
    const wanted = new Set(files.map(nameOf));
    const found = new Set<string>();
    await attempt('cannot search', places.cluster, async () => {
      const others = (await jobsIn(places)).filter((other) => other !== jobId);
      const nearest = others.sort((a, b) => Math.abs(a - jobId) - Math.abs(b - jobId)).slice(0, MOST_JOBS);
      await mapConcurrent(AT_ONCE, nearest, async (other) => {
        const ids = (await namesIn(places.job(other))).filter(isActionId);
        for (const actionId of ids)
          for (const name of await namesOf(other, actionId)) if (wanted.has(name)) found.add(name);
      });
    });
    return files.filter((file) => found.has(nameOf(file))).map(({ path }) => path);
  };
}

/** Without the device: each node gives a network file system a number of its own. */
const nameOf = ({ ino, path }: { readonly ino: string; readonly path: string }): string => `${ino} ${path}`;
