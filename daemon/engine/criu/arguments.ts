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
  /** Null: the folder of the images. */
  readonly work: string | null;
  readonly actionScript: string;
  /** CRIU is not root, and has the rights of the job's owner. */
  readonly unprivileged: boolean;
  /** Leave the tree stopped, to be killed or woken, instead of running. */
  readonly stop: boolean;
}

/** In the working folder. */
export const DUMP_LOG = 'dump.log';

/** Deleted files up to this size are carried in the images. */
const GHOST_LIMIT = '1G';

/** CRIU's own command line. */
export function dumpArguments(dump: DumpArguments): string[] {
  return [
    dump.criu,
    'dump',
    '--no-default-config',
    ...(dump.unprivileged ? ['--unprivileged'] : []),
    '--tree',
    String(dump.root),
    '--images-dir',
    dump.images,
    ...(dump.work === null ? [] : ['--work-dir', dump.work]),
    '--log-file',
    DUMP_LOG,
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
