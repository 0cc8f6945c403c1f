import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Who may trace whom, by kernel.yama.ptrace_scope (Documentation/admin-guide/LSM/Yama.rst): 0, everybody their own
 * processes; 1, those below oneself alone; 2, only CAP_SYS_PTRACE; 3, nobody. 0 where the kernel has no Yama.
 */
export function ptraceScope(proc: string): number {
  try {
    return Number(readFileSync(join(proc, 'sys/kernel/yama/ptrace_scope'), 'latin1'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}
