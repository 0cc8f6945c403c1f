import type { Identity } from '../protocol.ts';

/**
 * Becomes the job's owner for good. Done here and not by a program that starts this one, because a process that
 * changes its ids and then executes nothing cannot be traced by its new owner, who could make it say anything
 * otherwise (ptrace(2); `dumpable` in prctl(2)).
 */
export function become({ uid, gid, groups }: Identity): void {
  process.setgroups?.([...groups]);
  process.setgid?.(gid);
  process.setuid?.(uid);
  const is = [process.getuid?.(), process.geteuid?.(), process.getgid?.(), process.getegid?.()];
  if (is.join() !== [uid, uid, gid, gid].join()) throw new Error('the ids of the owner were not taken');
  process.chdir('/');
  process.umask(0o077);
}
