import { join } from 'node:path';
import type { EpochMs, JobId, Millis } from '../../vocabulary/job.ts';
import { codeOf, StoreError } from '../store-error.ts';
import { attempt, guardJob, type StoreContext } from './fs/context.ts';
import { TEMPORARY } from './fs/durable.ts';
import { lstat, rmdir, unlink } from './fs/files.ts';
import { namesIn } from './fs/marks.ts';
import { isActionId, ORDER, RUN, readHalfWrittenName, WRITER } from './fs/places.ts';
import { readOwnFile } from './fs/record.ts';
import { ofJob } from './reading.ts';
import { readRun } from './run-record.ts';

/** What `retention/` looks after the store with. Every method throws StoreError. */
export interface Upkeep {
  /** Whether there is anything of this job: one look. */
  has(jobId: JobId): Promise<boolean>;
  /** Jobs that a node has written for. */
  jobsOf(node: string): Promise<readonly JobId[]>;
  /** Removes what `node` left half-written in a job's folder and nobody writes now: the action ids. */
  removeHalfWritten(jobId: JobId, node: string, now: EpochMs): Promise<readonly string[]>;
  /** Whether what `node` has in a job's folder is worth asking Slurm about; false: it has nothing there any more. */
  holds(jobId: JobId, node: string): Promise<boolean>;
  /** `node` has nothing to look after there any more; an empty folder goes. */
  forget(jobId: JobId, node: string): Promise<void>;
  /** Makes this node's folder, by which it knows the store from an empty mount point. */
  settleIn(): Promise<void>;
  /** What a crash left of removals, and that this node is there. */
  freshen(now: EpochMs): Promise<void>;
  /** Nodes that have looked after nothing since. */
  silentSince(before: EpochMs): Promise<readonly string[]>;
  dropNode(node: string): Promise<void>;
}

/** A folder or file that does not say whose it is was made by a process that died at once, or is being made. */
const NAMELESS_AFTER: Millis = 3_600_000;

export function createUpkeep(store: StoreContext): Upkeep {
  const { places, marks, trash, writing } = store;

  async function isLeft(path: string, actionId: string, node: string, now: EpochMs): Promise<boolean> {
    if (writing.has(actionId)) return false;
    const writer = (await readOwnFile(join(path, WRITER), 4_096))?.trim() || null;
    // No name: it was on the brink of being published, or has only just begun.
    return writer === null ? isOld(path, now) : writer === node;
  }

  async function isOld(path: string, now: EpochMs): Promise<boolean> {
    const there = await lstat(path).catch(() => null);
    return there !== null && there.mtimeMs < now - NAMELESS_AFTER;
  }

  /** One that cannot be read is nobody's. */
  async function runsOn(jobId: JobId): Promise<string | null> {
    const run = await readRun(store, jobId).catch((error: unknown) => {
      if (!(error instanceof StoreError)) throw error;
      return null;
    });
    return run?.node ?? null;
  }

  return {
    has: (jobId) => guardJob(store, jobId),
    jobsOf: async (node) =>
      (await guardJob(store, null)) ? attempt('cannot read', places.node(node), () => marks.of(node)) : [],
    async removeHalfWritten(jobId, node, now) {
      if (!(await guardJob(store, jobId))) return [];
      const folder = places.job(jobId);
      return attempt('cannot tidy up', folder, async () => {
        const removed: string[] = [];
        for (const name of await namesIn(folder)) {
          const path = join(folder, name);
          if (TEMPORARY.test(name) && (await isOld(path, now))) await ignoringGone(unlink(path));
          const actionId = readHalfWrittenName(name);
          if (actionId === null || !(await isLeft(path, actionId, node, now))) continue;
          await ignoringGone(trash.remove(path));
          removed.push(actionId);
        }
        return removed;
      });
    },
    async holds(jobId, node) {
      if (!(await guardJob(store, jobId))) return false;
      const folder = places.job(jobId);
      const names = await attempt('cannot read', folder, () => namesIn(folder));
      // Nothing but an order, or what cannot be read: whose it is does not show, so that whoever wrote here asks.
      const published = names.filter(isActionId).length;
      const found = await ofJob(store, jobId);
      return (
        names.includes(ORDER) ||
        (names.includes(RUN) && (await runsOn(jobId)) === node) ||
        found.length < published ||
        found.some(({ manifest }) => manifest.node === node) ||
        names.some((name) => readHalfWrittenName(name) !== null)
      );
    },
    forget: (jobId, node) =>
      attempt('cannot forget', places.node(node), async () => {
        await rmdir(places.job(jobId)).catch((error: unknown) => {
          if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(codeOf(error))) throw error;
        });
        await marks.remove(node, jobId);
      }),
    settleIn: () =>
      attempt('cannot make', places.node(store.node), async () => {
        await guardJob(store, null);
        await marks.ensureNode();
      }),
    freshen: (now) =>
      attempt('cannot tidy up', places.node(store.node), async () => {
        if (!(await guardJob(store, null))) return;
        await trash.empty();
        await marks.touch(now);
      }),
    silentSince: async (before) =>
      (await guardJob(store, null))
        ? attempt('cannot read', places.nodes, () => marks.untouchedSince(before))
        : [],
    dropNode: (node) => attempt('cannot remove', places.node(node), () => marks.drop(node)),
  };
}

async function ignoringGone(done: Promise<void>): Promise<void> {
  await done.catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error;
  });
}
