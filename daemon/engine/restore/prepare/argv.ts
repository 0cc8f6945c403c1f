import type { Cores } from '../../criu/images/cores.ts';
import type { Owner } from '../../owner/owner.ts';
import type { Places } from '../run/places.ts';

export interface RestoreCommand {
  /** ckptd-criu. */
  readonly helper: string;
  readonly criu: string;
  readonly owner: Owner;
  readonly places: Places;
  readonly cores: Cores;
  /** In the job's own pid namespace. */
  readonly rootPid: number;
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

/** The last capability that Linux 5.9 to 6.18 know: CAP_CHECKPOINT_RESTORE. */
const ALL_CAPABILITIES = (1n << 41n) - 1n;
/** Of setrlimit(2). */
const NOFILE = 7;
const MOST_FILES = 2 ** 30;

/**
 * The whole command, run by the SPANK plugin as pid 1 of the job's new namespaces (hooks/criu/init.c), which calls CRIU
 * with the rights of the job's owner. The plugin adds the socket and the environment that it needs to ask for `check`.
 */
export function restoreArgv(command: RestoreCommand): string[] {
  const { helper, criu, owner, places, images, options, cores, rootPid } = command;
  const { groups } = cores.credentials;
  return [
    helper,
    'init',
    ...['--uid', String(owner.uid), '--gid', String(owner.gid), '--groups', groups.join(' ')],
    ...['--capabilities', capabilitiesFor(cores).join()],
    ...['--images', images, '--root', String(rootPid), '--files', String(filesFor(cores))],
    ...['--log', places.log],
    '--',
    criu,
    '--no-default-config',
    ...options,
    '--manage-cgroups=ignore',
  ];
}

/** What CRIU needs beyond what the owner may. What the job has given up for good is given up again, which takes one more. */
function capabilitiesFor({ credentials: { boundingSet } }: Cores): string[] {
  const isWhole = (boundingSet & ALL_CAPABILITIES) === ALL_CAPABILITIES;
  return ['checkpoint_restore', ...(isWhole ? [] : ['setpcap'])];
}

/** As many as the process may have open that may have the most: CRIU does not raise its own limit when it is not root. */
function filesFor({ limits }: Cores): number {
  const soft = [...limits.values()].map(({ rlimits }) => Number(rlimits[NOFILE]?.[0] ?? 0n));
  return Math.min(Math.max(0, ...soft), MOST_FILES);
}
