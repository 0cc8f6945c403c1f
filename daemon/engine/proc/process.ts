import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** One process as /proc tells of it. Its name is the user's own text, made printable. */
export interface Process {
  readonly pid: number;
  readonly ppid: number;
  /** Of /proc/<pid>/stat: R, S, D, T (stopped), t (traced), Z … */
  readonly state: string;
  /** Clock ticks since boot: with the pid it names this very process. */
  readonly startTime: number;
  readonly name: string;
  /** Real, effective, saved, file system. */
  readonly uids: readonly number[];
  readonly gid: number;
  readonly groups: readonly number[];
  /** Capabilities, as bits. */
  readonly inheritable: bigint;
  readonly noNewPrivs: boolean;
  /** It has a filter of seccomp(2). */
  readonly hasSeccompFilter: boolean;
  /** From this pid namespace down to its own. */
  readonly nsPids: readonly number[];
  /** What a dump writes: anonymous memory and swap. */
  readonly privateBytes: number;
  readonly sharedBytes: number;
}

/** linux/seccomp.h */
const SECCOMP_MODE_FILTER = 2;

/** Null where there is none, or it ends just now. */
export async function readProcess(proc: string, pid: number): Promise<Process | null> {
  try {
    const folder = join(proc, String(pid));
    const stat = await readFile(join(folder, 'stat'), 'latin1');
    const status = await readFile(join(folder, 'status'), 'latin1');
    return parseProcess(pid, stat, status);
  } catch {
    return null;
  }
}

/** Whether it is root's own. A setuid program keeps the real id of the user who runs it. */
export function isRoots({ uids }: Process): boolean {
  return uids.every((id) => id === 0);
}

/** The pids of this namespace, in no order. */
export async function listPids(proc: string): Promise<number[]> {
  return (await readdir(proc)).filter(isPid).map(Number);
}

/** Of a name in /proc. */
export const isPid = (name: string): boolean => /^[1-9]\d{0,9}$/.test(name);

/** `stat` and `status` of one process; its name may hold spaces, brackets and, escaped in `status` only, newlines. */
export function parseProcess(pid: number, stat: string, status: string): Process | null {
  const fields = stat
    .slice(stat.lastIndexOf(')') + 1)
    .trim()
    .split(' ');
  const line = (key: string): string => new RegExp(`^${key}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '';
  const numbers = (key: string): number[] =>
    line(key)
      .split(/\s+/)
      .filter((word) => /^\d{1,10}$/.test(word))
      .map(Number);
  const kilobytes = (key: string): number => (numbers(key)[0] ?? 0) * 1024;
  const process = {
    pid,
    state: fields[0] ?? '',
    ppid: Number(fields[1]),
    startTime: Number(fields[19]),
    name: printable(stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'))),
    uids: numbers('Uid'),
    gid: numbers('Gid')[0] ?? Number.NaN,
    groups: numbers('Groups'),
    inheritable: BigInt(`0x${/^[0-9a-f]{1,16}$/.exec(line('CapInh'))?.[0] ?? '0'}`),
    noNewPrivs: numbers('NoNewPrivs')[0] === 1,
    hasSeccompFilter: numbers('Seccomp')[0] === SECCOMP_MODE_FILTER,
    nsPids: numbers('NSpid'),
    privateBytes: kilobytes('RssAnon') + kilobytes('VmSwap') + kilobytes('HugetlbPages'),
    sharedBytes: kilobytes('RssShmem'),
  };
  const isWhole =
    Number.isSafeInteger(process.ppid) &&
    Number.isSafeInteger(process.startTime) &&
    Number.isSafeInteger(process.gid) &&
    process.uids.length === 4 &&
    process.nsPids.length > 0;
  return isWhole ? process : null;
}

function printable(name: string): string {
  return name.slice(0, 64).replace(/[^ -~]/g, '?');
}
