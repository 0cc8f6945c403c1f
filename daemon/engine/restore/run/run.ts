import type { JobId } from '../../../vocabulary/job.ts';
import type { Manifest } from '../../manifest.ts';
import type { Owner } from '../../owner/owner.ts';
import type { Output, Rollback } from '../../owner/protocol.ts';

/**
 * How far the start of one run is. `preparing`: the engine unpacks; `prepared`: the plugin has the command;
 * `going`: CRIU may be at work; `checked`: all of it is restored, and the job may run.
 */
export type Phase = 'preparing' | 'prepared' | 'going' | 'checked';

/** A run that is to begin from a checkpoint; on disk in its staging folder, so that an engine may end in between. */
export interface StartedRun {
  readonly jobId: JobId;
  readonly restarts: number;
  readonly owner: Owner;
  readonly actionId: string;
  /** Of the run that was dumped. */
  readonly dumpedRestarts: number;
  /** It was dumped to go, and never ran again: what its files got since is others'. */
  readonly moved?: boolean | undefined;
  /** Paths of files that checkpoints of other jobs name too. */
  readonly shared?: readonly string[] | undefined;
  readonly outputs: readonly Output[];
  readonly phase: Phase;
  /** The batch task, from `going` on; its start in clock ticks tells it from a later process. */
  readonly task: { readonly pid: number; readonly startTime: number } | null;
}

/** In the names of what is put aside. */
export const tagOf = (jobId: JobId, restarts: number): string => `ckptd-${jobId}.${restarts}`;

/** The files that slurmstepd would truncate. */
export function outputsOf({ output, files }: Manifest, shared: readonly string[]): Output[] {
  const others = new Set(shared.map(nameOf));
  return output.map((path) => {
    const ino = files.find((file) => file.path === path)?.ino ?? null;
    return { path, ino, shared: others.has(nameOf(path)) };
  });
}

/**
 * What is rolled back when. CRIU holds a file's size to the one of the dump, unless it is only appended to: those
 * come first. Output that is appended to is cut last, when nothing can go wrong any more: a job that
 * has to begin anew still has all of it then. Lines of others are not cut away where that can be known: they may be
 * in the middle of a file for whoever was dumped later.
 */
export function rollbacksOf(
  { output, files }: Manifest,
  { moved = false, shared = [] }: Pick<StartedRun, 'moved' | 'shared'>,
): { first: Rollback[]; last: Rollback[] } {
  const others = new Set(shared);
  // By its name alone: Slurm's path to the file may lead over links, the record's does not.
  const names = new Set(output.map(nameOf));
  const isOutput = (file: Manifest['files'][number]) => names.has(nameOf(file.path));
  const isLast = (file: Manifest['files'][number]) => file.append && !file.sized && isOutput(file);
  function wholeOf(file: Manifest['files'][number]): Rollback['whole'] {
    const isShared = others.has(file.path);
    // The end of an output that is the job's alone may be slurmstepd's last words on the old run.
    if (moved && (isShared || !isOutput(file))) return 'others';
    return isShared ? 'unknown' : undefined;
  }
  const plain = (file: Manifest['files'][number]): Rollback => {
    const { path, ino, size, append, sized = false } = file;
    const whole = append && !sized ? wholeOf(file) : undefined;
    return { path, ino, size, shared: append, sized, whole };
  };
  return {
    first: files.filter((file) => !isLast(file)).map(plain),
    last: files.filter(isLast).map(plain),
  };
}

const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
