import { readFileSync } from 'node:fs';

/** Linux counts in hundredths of a second here, whatever the kernel's own clock is. */
const TICK_MS = 10;

/** CPU time of a process with its ended children and those that run, in milliseconds, in steps of ten. */
export function processCpuMs(pid: number): number {
  // The name, in parentheses, may hold anything.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  // utime, stime, cutime, cstime: proc_pid_stat(5).
  const own = fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) * TICK_MS;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  return children.reduce((sum, child) => sum + processCpuMs(Number(child)), own);
}
