type Environment = Readonly<Record<string, string | undefined>>;

/** How to make a folder writable that `ckptd.service` keeps read-only. */
export const OPEN_IT =
  'a state_dir outside of /var/lib/ckptd, or a socket.path outside of /run/ckptd, needs ReadWritePaths= in a ' +
  'drop-in of the unit (systemctl edit ckptd)';

/**
 * True if the start failed because the configuration names a folder that the unit keeps read-only: a restart does not
 * help. Not for the folders that systemd made for the daemon: there the disk is at fault.
 */
export function isLockedOut(error: unknown, env: Environment): boolean {
  const failure = systemError(error);
  if (failure === null || failure.code !== 'EROFS') return false;
  const own = `${env['STATE_DIRECTORY'] ?? ''}:${env['RUNTIME_DIRECTORY'] ?? ''}`.split(':').filter(Boolean);
  return !own.some((folder) => failure.path?.startsWith(`${folder}/`));
}

/** The system's error, which our errors carry as their cause. */
function systemError(error: unknown): NodeJS.ErrnoException | null {
  for (let each = error, depth = 0; each instanceof Error && depth < 5; each = each.cause, depth++) {
    if ('code' in each && 'syscall' in each) return each as NodeJS.ErrnoException;
  }
  return null;
}
