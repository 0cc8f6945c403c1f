import type { Places } from './places.ts';
import type { Owner } from './run.ts';

export interface RestoreCommand {
  /** ckptd-criu. */
  readonly helper: string;
  readonly criu: string;
  readonly owner: Owner;
  readonly places: Places;
  /** See `guardsOf`. */
  readonly guards: readonly string[];
  /** Whether the images hold sockets with names, which are made with the owner's rights (hooks/criu/sockets.h). */
  readonly hasSockets: boolean;
  /** Where the images are: in the staging folder, or where they need no unpacking in the store. */
  readonly images: string;
  /** Of the manifest. */
  readonly options: readonly string[];
}

/** What a manifest may ask for: each is a matter of what was dumped, and none names a path or a program. */
const KNOWN =
  /^--(shell-job|file-locks|ext-unix-sk|tcp-close|tcp-established|link-remap|ghost-limit=\d{1,12}[KMG]?)$/;

/** Options of a manifest that no engine of this version wrote. */
export function unknownOptions(options: readonly string[]): string[] {
  return options.filter((option) => !KNOWN.test(option));
}

/**
 * The whole command, run by the SPANK plugin as pid 1 of the job's new namespaces (hooks/criu/init.c). The plugin
 * adds the socket and the environment that it needs to ask for `check`.
 */
export function restoreArgv(command: RestoreCommand): string[] {
  const { helper, criu, owner, places, images, options } = command;
  return [
    helper,
    'init',
    '--uid',
    String(owner.uid),
    '--gid',
    String(owner.gid),
    '--pidfile',
    places.pidFile,
    '--log',
    places.log,
    ...command.guards.flatMap((folder) => ['--guard', folder]),
    ...(command.hasSockets ? ['--sockets', [owner.uid, owner.gid, ...owner.groups].join(' ')] : []),
    '--',
    criu,
    'restore',
    '--images-dir',
    images,
    '--work-dir',
    places.work,
    '--log-file',
    places.log.slice(places.work.length + 1),
    '-v2',
    ...options,
    '--manage-cgroups=ignore',
    // The tree becomes init's child, and CRIU ends once it runs.
    '--restore-detached',
    '--restore-sibling',
    '--pidfile',
    places.pidFile,
    '--action-script',
    helper,
  ];
}
