type Environment = Readonly<Record<string, string | undefined>>;

/** What makes a folder writable that `ckptd.service` has locked the daemon out of. */
export const OPEN_IT =
  'a state_dir outside of /var/lib/ckptd, or a socket.path outside of /run/ckptd, needs ReadWritePaths= in a ' +
  'drop-in of the unit (systemctl edit ckptd)';

/**
 * Whether a start failed because the configuration names a folder that the unit keeps read-only: that does not get
 * better by itself. The folders that systemd made for the daemon are not meant: there the disk is at fault.
 */
export function isLockedOut(error: unknown, env: Environment): boolean {
  const failure = systemError(error);
  if (failure === null || failure.code !== 'EROFS') return false;
  const own = `${env['STATE_DIRECTORY'] ?? ''}:${env['RUNTIME_DIRECTORY'] ?? ''}`.split(':').filter(Boolean);
  return !own.some((folder) => failure.path?.startsWith(`${folder}/`));
}

/** The error that the system gave, which ours carry as their cause. */
function systemError(error: unknown): NodeJS.ErrnoException | null {
  for (let each = error, depth = 0; each instanceof Error && depth < 5; each = each.cause, depth++) {
    if ('code' in each && 'syscall' in each) return each as NodeJS.ErrnoException;
  }
  return null;
}
