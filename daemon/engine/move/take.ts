import type { CheckpointKind } from '../../vocabulary/job.ts';
import { archiveFiles } from '../dump/archive.ts';
import { criuVersion } from '../dump/criu.ts';
import { dump, recordFiles } from '../dump/dump.ts';
import { ownersFiles } from '../dump/local-files.ts';
import { type LocalFile, type OpenedFiles, openedFiles } from '../dump/opened-files.ts';
import type { Taken } from '../dump/publish.ts';
import type { Staging } from '../dump/staging.ts';
import type { RunningJob } from '../job/find-job.ts';
import { readProcess } from '../job/process.ts';
import type { Manifest } from '../manifest.ts';
import { type Hold, holdJob } from './hold.ts';
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
  const dumped = await dump(source.dumper, job.tree, taking.staging, { stop: false });
  if (!dumped.ok) {
    await wakeAfterFailure(source, job);
    throw new SourceError(dumped.message);
  }
  await mustBeSame(source, job);
  const opened = await readOpened(source, job, taking);
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
  const hold = await holdJob(source, job, taking.actionId);
  try {
    let frozenMs = 0;
    if (version !== null) {
      const dumped = await dump(source.dumper, job.tree, taking.staging, { stop: true });
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
    return { taken: { ...taking, job, takenAt, frozenMs, criuVersion: version, ...opened }, hold };
  } catch (error) {
    await hold.letGo();
    throw error instanceof SourceError ? error : new SourceError((error as Error).message, { cause: error });
  }
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
): Promise<{ rollBack: OpenedFiles['rollBack']; carried: Taken['carried'] }> {
  let opened: OpenedFiles;
  try {
    opened = await openedFiles(staging.record, await source.reachOf());
  } catch (error) {
    throw new SourceError((error as Error).message, { cause: error });
  }
  if (kind === 'simple') {
    const written = opened.local.filter((file) => file.written);
    if (written.length > 0) throw new SourceError(onThisNodeOnly(written));
    return { rollBack: opened.rollBack, carried: null };
  }
  const spool = `${await source.finder.spoolDir()}/`;
  // slurmd writes the batch script anew on every node.
  const local = opened.local.filter(({ path }) => !path.startsWith(spool));
  const own = await ownersFiles(source.proc, tree, local);
  const archived = await archiveFiles(
    source.archiver,
    tree.root,
    staging,
    own.map(({ path }) => path),
  );
  if (!archived.ok) throw new SourceError(archived.message);
  if (archived.warning !== null)
    source.log.warn(
      { job_id: jobId, tar: archived.warning },
      'a node-local file changed while it was packed',
    );
  return { rollBack: opened.rollBack, carried: archived.carried };
}

function onThisNodeOnly(files: readonly LocalFile[]): string {
  const names = files.slice(0, 3).map(({ path }) => JSON.stringify(path.slice(0, 200)));
  const more = files.length > names.length ? ` and ${files.length - names.length} more` : '';
  return `the job writes to files that only this node has (${names.join(', ')}${more}): use kind rootfs, which carries them`;
}
