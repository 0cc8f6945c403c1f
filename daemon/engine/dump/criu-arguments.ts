/**
 * What a dump is made with, and a restore must repeat: the session of a batch script lies outside of its tree
 * (`--shell-job`), locks are carried, sockets to the outside are closed at the restore.
 */
export const RESTORE_OPTIONS: readonly string[] = [
  '--shell-job',
  '--file-locks',
  '--ext-unix-sk',
  '--tcp-close',
];

export interface DumpArguments {
  readonly criu: string;
  /** In the pid namespace that CRIU runs in. */
  readonly root: number;
  readonly images: string;
  readonly work: string;
  readonly actionScript: string;
  /** Leave the tree stopped, to be killed or woken, instead of running. */
  readonly stop: boolean;
}

/** Deleted files up to this size are carried in the images. */
const GHOST_LIMIT = '1G';

/** CRIU's own command line. */
export function dumpArguments(dump: DumpArguments): string[] {
  return [
    dump.criu,
    'dump',
    '--tree',
    String(dump.root),
    '--images-dir',
    dump.images,
    '--work-dir',
    dump.work,
    '--log-file',
    'dump.log',
    '-v2',
    dump.stop ? '--leave-stopped' : '--leave-running',
    ...RESTORE_OPTIONS,
    '--ghost-limit',
    GHOST_LIMIT,
    // Slurm's own, made anew for every run.
    '--manage-cgroups=ignore',
    '--action-script',
    dump.actionScript,
  ];
}
