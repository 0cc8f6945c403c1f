import type { CheckpointKind } from '../../vocabulary/job.ts';
import { criuVersion } from '../criu/version.ts';
import type { Manifest } from '../manifest.ts';
import { readProcess } from '../proc/process.ts';
import { archiveFiles } from './dump/archive.ts';
import { type Dumping, dump, recordFiles } from './dump/dump.ts';
import { nodeLocalFiles } from './dump/node-local-files.ts';
import { type LocalFile, type OpenedFiles, openedFiles } from './dump/opened-files.ts';
import type { Taken } from './dump/publish.ts';
import type { Staging } from './dump/staging.ts';
import type { RunningJob } from './find/find-job.ts';
import { type Hold, holdJob } from './hold.ts';
import { mustBeOwnersToRestore, mustBeRestorable } from './preflight.ts';
import { type Source, SourceError } from './source.ts';

export interface Taking {
  readonly actionId: string;
  readonly kind: CheckpointKind;
  readonly reason: Manifest['reason'];
  readonly staging: Staging;
}

/** Takes a job's checkpoint onto this node's disk; the job runs on. @throws SourceError, with the job running on */
export async function take(source: Source, job: RunningJob, taking: Taking): Promise<Taken> {
  const takenAt = source.clock.now();
  if (taking.kind !== 'simple') {
    const { taken, hold } = await takeAndHold(source, job, taking);
    await hold.letGo();
    // The files were packed while it was held.
    return { ...taken, frozenMs: Math.max(taken.frozenMs, source.clock.now() - takenAt) };
  }
  const version = await mustHaveCriu(source);
  mustBeRestorable(source, job);
  const dumped = await dump(source.dumper, job.tree, taking.staging, {
    stop: false,
    late: sayLate(source, job),
  });
  if (!dumped.ok) {
    await wakeAfterFailure(source, job);
    throw new SourceError(dumped.message);
  }
  await mustBeSame(source, job);
  const opened = await readOpened(source, job, taking);
  await mustBeOwnersToRestore(source, job, taking.staging, opened);
  return { ...taking, job, takenAt, frozenMs: dumped.frozenMs, criuVersion: version, ...opened };
}

/** The same, and the job stays frozen: whoever gets the hold has to end it. @throws SourceError, with the job running on */
export async function takeAndHold(
  source: Source,
  job: RunningJob,
  taking: Taking,
): Promise<{ taken: Taken; hold: Hold }> {
  const takenAt = source.clock.now();
  const version = taking.kind === 'rootfsonly' ? null : await mustHaveCriu(source);
  if (version !== null) mustBeRestorable(source, job);
  const hold = await holdJob(source, job, taking.actionId);
  try {
    let frozenMs = 0;
    if (version !== null) {
      const dumped = await dump(source.dumper, job.tree, taking.staging, {
        stop: true,
        late: sayLate(source, job),
      });
      if (!dumped.ok) throw new SourceError(dumped.message);
      frozenMs = dumped.frozenMs;
      await mustBeSame(source, job);
    }
    await hold.freeze();
    if (version === null) {
      const problem = await recordFiles(source.dumper, job.tree, taking.staging);
      if (problem !== null) throw new SourceError(problem);
    }
    const opened = await readOpened(source, job, taking);
    if (version !== null) await mustBeOwnersToRestore(source, job, taking.staging, opened);
    return { taken: { ...taking, job, takenAt, frozenMs, criuVersion: version, ...opened }, hold };
  } catch (error) {
    await hold.letGo();
    throw error instanceof SourceError ? error : new SourceError((error as Error).message, { cause: error });
  }
}

function sayLate({ log }: Source, { facts: { jobId }, tree }: RunningJob): Dumping['late'] {
  return (ms) => {
    log.error(
      { job_id: jobId, root_pid: tree.root.pid },
      `job ${jobId} stands still: CRIU has been dumping it for ${Math.round(ms / 1000)} s. A file system may hang; CRIU is not ended, since its own code is in the job, which goes on when CRIU does`,
    );
  };
}

async function mustHaveCriu({ exec, config }: Source): Promise<string> {
  const criu = await criuVersion(exec, config.criu);
  if (!criu.ok) throw new SourceError(criu.message);
  return criu.version;
}

/** CRIU dumps whoever has the pid: it must have been this very process from before until after. */
async function mustBeSame({ proc }: Source, { facts, tree }: RunningJob): Promise<void> {
  const now = await readProcess(proc, tree.root.pid);
  if (now?.startTime !== tree.root.startTime)
    throw new SourceError(`the batch script of job ${facts.jobId} ended during the dump`);
}

/** CRIU lets a job run on itself, unless it was killed in the middle. */
async function wakeAfterFailure({ freezer }: Source, { tree }: RunningJob): Promise<void> {
  const stopped = tree.processes.filter(({ state }) => state === 'T').map(({ pid }) => pid);
  await freezer.wake({ version: tree.cgroup.version, folder: tree.folder }, new Set(stopped));
}

/** What the record says of the job's files; packs those of this node where the kind carries them. */
async function readOpened(
  source: Source,
  { facts: { jobId }, tree }: RunningJob,
  { kind, staging }: Taking,
): Promise<Pick<OpenedFiles, 'rollBack' | 'reopened'> & { carried: Taken['carried'] }> {
  let opened: OpenedFiles;
  try {
    opened = await openedFiles(staging.record, await source.reachOf());
  } catch (error) {
    throw new SourceError((error as Error).message, { cause: error });
  }
  const spool = `${await source.finder.spoolDir()}/`;
  // slurmd writes the batch script anew on every node.
  const local = opened.local.filter(({ path }) => !path.startsWith(spool));
  const own = await nodeLocalFiles(source.proc, tree, local);
  if (kind === 'simple') {
    if (own.length > 0) throw new SourceError(onThisNodeOnly(own));
    return { ...opened, carried: null };
  }
  const archived = await archiveFiles(source.archiver, tree.root, staging, {
    jobId,
    paths: own.map(({ path }) => path),
  });
  if (!archived.ok) throw new SourceError(archived.message);
  if (archived.warning !== null)
    source.log.warn(
      { job_id: jobId, tar: archived.warning },
      'a node-local file changed while it was packed',
    );
  return { ...opened, carried: archived.carried };
}

function onThisNodeOnly(files: readonly LocalFile[]): string {
  // What it writes says most.
  const told = files.toSorted((a, b) => Number(b.written) - Number(a.written)).slice(0, 3);
  const names = told.map(({ path }) => JSON.stringify(path.slice(0, 200)));
  const more = files.length > names.length ? ` and ${files.length - names.length} more` : '';
  return `the job has files open, or stands in folders, that only this node has (${names.join(', ')}${more}): use kind rootfs, which carries them`;
}
