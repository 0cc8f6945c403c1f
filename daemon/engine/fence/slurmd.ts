import type { Exec, Log } from '../../system/ports.ts';
import type { JobId } from '../../vocabulary/job.ts';
import { isRoots, type Process } from '../proc/process.ts';
import { cgroupNow, pidsNow, processNow, programNow } from '../proc/process-sync.ts';

/**
 * A slurmd that was cut off takes a job for running until slurmctld tells it to end it (`active_job_id`), and slurmctld
 * tells that only of steps that it is shown: of a run that was ended here it shows none. Should the job come back, such
 * a slurmd refuses it ("already running, do not launch second copy", 24.11), and slurmctld drains the node for a
 * `Duplicate jobid` and holds the job. So it is started anew, which runs on all that runs here, but not before
 * slurmctld can be asked: a slurmd without a slurm.conf of its own cannot start without.
 */
export interface Slurmds {
  /** A run was ended: whatever slurmd is here now may remember it. Never rejects. */
  remembers(jobId: JobId): Promise<void>;
  /** Whether there are any that may. */
  areDue(): boolean;
  /** Restarts them. Never rejects. */
  forget(): Promise<void>;
}

interface Slurmd {
  readonly pid: number;
  readonly startTime: number;
  /** Of systemd's; null where it was started otherwise. */
  readonly unit: string | null;
}

export function createSlurmds({
  exec,
  proc,
  log,
}: {
  readonly exec: Exec;
  readonly proc: string;
  readonly log: Log;
}): Slurmds {
  const due = new Map<string, { readonly slurmd: Slurmd; readonly jobs: Set<JobId> }>();

  async function restart({ pid, startTime, unit }: Slurmd, jobs: readonly JobId[]): Promise<void> {
    if (processNow(proc, pid)?.startTime !== startTime) return;
    const result =
      unit === null
        ? null
        : await exec.run({
            kind: 'systemctl-restart',
            file: '/usr/bin/systemctl',
            args: ['--no-block', 'try-restart', unit],
            timeoutMs: 10_000,
          });
    if (result?.ok)
      log.warn({ jobs, unit }, 'slurmd is restarted: it takes jobs for running that were ended here');
    else {
      const problem = result?.message ?? 'it is no unit of systemd';
      log.error(
        { jobs, pid, problem },
        'slurmd has to be restarted by hand before these jobs can run here again',
      );
    }
  }

  return {
    async remembers(jobId) {
      for (const slurmd of await findSlurmds(proc).catch(() => [])) {
        const name = `${slurmd.pid}:${slurmd.startTime}`;
        const known = due.get(name) ?? { slurmd, jobs: new Set<JobId>() };
        known.jobs.add(jobId);
        due.set(name, known);
      }
    },
    areDue: () => due.size > 0,
    async forget() {
      for (const [name, { slurmd, jobs }] of [...due]) {
        due.delete(name);
        await restart(slurmd, [...jobs]);
      }
    },
  };
}

/** Root's, by their program; more than one only where several nodes are one machine. */
async function findSlurmds(proc: string): Promise<Slurmd[]> {
  const found: Slurmd[] = [];
  for await (const pid of pidsNow(proc)) {
    if (!/\/slurmd(-[a-z]+)?( \(deleted\))?$/.test(programNow(proc, pid))) continue;
    const process = processNow(proc, pid);
    if (process && isRoots(process)) found.push({ ...process, unit: unitOf(proc, process) });
  }
  return found;
}

function unitOf(proc: string, { pid }: Process): string | null {
  const text = cgroupNow(proc, pid);
  return /^(?:0:|\d+:name=systemd):.*\/([A-Za-z0-9:_.@-]+\.service)(?:\/.*)?$/m.exec(text)?.[1] ?? null;
}
