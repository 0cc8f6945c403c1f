import { readFileSync } from 'node:fs';

/** Identifies a process for good: pids come back, a pid with its start time in one boot does not. */
export interface Owner {
  pid: number;
  /** Clock ticks since boot (field 22 of /proc/PID/stat). */
  startTime: string;
  bootId: string;
}

/** This process as an owner. */
export function self(): Owner {
  const startTime = startTimeOf(process.pid);
  if (!startTime) throw new Error('/proc is not mounted');
  return { pid: process.pid, startTime, bootId: bootId() };
}

export function isAlive(owner: Owner): boolean {
  return owner.bootId === bootId() && owner.startTime === startTimeOf(owner.pid);
}

function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command's name may hold spaces and brackets: fields are counted from its end. The first there is the state.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
