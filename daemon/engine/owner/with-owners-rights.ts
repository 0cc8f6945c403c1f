/**
 * The command line of a program that runs with no more rights than the job's owner has: whatever a path leads to by
 * then, it is nothing that the owner could not reach by himself. It ends with the engine, since the next one begins
 * again and must not find one at it. `inside`: a process in whose mount namespace the paths are meant.
 */
export function withOwnersRights(
  { uid, gid, groups }: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] },
  argv: readonly string[],
  inside: number | null = null,
): string[] {
  return [
    ...(inside === null ? [] : ['/usr/bin/nsenter', '--target', String(inside), '--mount', '--']),
    '/usr/bin/setpriv',
    '--pdeathsig=KILL',
    `--reuid=${uid}`,
    `--regid=${gid}`,
    groups.length > 0 ? `--groups=${groups.join(',')}` : '--clear-groups',
    '--no-new-privs',
    '--inh-caps=-all',
    '--',
    ...argv,
  ];
}
