import { readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Exec, Log } from '../../system/ports.ts';
import type { JobId } from '../../vocabulary/job.ts';
import { listPids, type Process, readProcess } from '../job/process.ts';

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
    if ((await readProcess(proc, pid))?.startTime !== startTime) return;
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
      for (const slurmd of await findSlurmds(proc)) {
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
  for (const pid of await listPids(proc).catch(() => [])) {
    const exe = await readlink(join(proc, String(pid), 'exe')).catch(() => '');
    if (!/\/slurmd(-[a-z]+)?( \(deleted\))?$/.test(exe)) continue;
    const process = await readProcess(proc, pid);
    if (process?.uids.every((id) => id === 0)) found.push({ ...process, unit: await unitOf(proc, process) });
  }
  return found;
}

async function unitOf(proc: string, { pid }: Process): Promise<string | null> {
  const text = await readFile(join(proc, String(pid), 'cgroup'), 'latin1').catch(() => '');
  return /^(?:0:|\d+:name=systemd):.*\/([A-Za-z0-9:_.@-]+\.service)(?:\/.*)?$/m.exec(text)?.[1] ?? null;
}
