import { readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { readProcess } from '../job/process.ts';
import type { Found, Verdict } from '../ports.ts';
import type { Parts } from './parts.ts';
import { placesOf } from './places.ts';
import { archiveOf } from './prepare.ts';
import { rollbacksOf, type StartedRun, tagOf } from './run.ts';
import { unpack } from './unpack.ts';

/** Puts a job's files as CRIU needs to find them. */
export async function putFiles(parts: Parts, run: StartedRun, found: Found): Promise<Verdict> {
  const { exec, lanes, asOwner, config, log } = parts;
  const { jobId, restarts, owner, outputs } = run;
  const inside = await otherMounts(parts.proc, run.task!.pid);
  const answer = await asOwner(
    owner,
    [
      { op: 'put-back', tag: tagOf(jobId, restarts), outputs, left: false },
      { op: 'roll-back', files: rollbacksOf(found.manifest).first, change: true },
    ],
    inside,
  );
  if (!answer.ok) return answer;
  for (const note of answer.notes) log.warn({ job_id: jobId, restarts }, note);
  const places = placesOf(config.workDir, jobId, restarts);
  return unpack(exec, lanes, owner, archiveOf(found, places), inside);
}

/** The pid, where it sees other mounts than this process (a /tmp of its own, for example); else null. */
async function otherMounts(proc: string, pid: number): Promise<number | null> {
  const [its, ours] = await Promise.all(
    [String(pid), 'self'].map((name) => readlink(join(proc, name, 'ns/mnt')).catch(() => null)),
  );
  return its !== null && its !== ours ? pid : null;
}

/** The batch task; null where there is no such process. */
export async function taskOf(proc: string, pid: number): Promise<StartedRun['task']> {
  const process = await readProcess(proc, pid);
  return process && { pid, startTime: process.startTime };
}
