import type { Found, Verdict } from '../ports.ts';
import { entryTo } from '../proc/namespaces.ts';
import { readProcess } from '../proc/process.ts';
import { clearScratch } from './prepare/clear-scratch.ts';
import { archiveOf } from './prepare/prepare.ts';
import { unpack } from './prepare/unpack.ts';
import type { Parts } from './run/parts.ts';
import { placesOf } from './run/places.ts';
import { rollbacksOf, type StartedRun, tagOf } from './run/run.ts';

/** Puts a job's files as CRIU needs to find them. */
export async function putFiles(parts: Parts, run: StartedRun, found: Found): Promise<Verdict> {
  const { exec, lanes, asOwner, config, log } = parts;
  const { jobId, restarts, owner, outputs } = run;
  const tag = tagOf(jobId, restarts);
  const entry = await entryTo(parts.proc, run.task!);
  if (!entry.ok) return entry;
  const { inside } = entry;
  const answer = await asOwner(
    owner,
    [
      { op: 'put-back', tag, outputs, left: false },
      { op: 'roll-back', tag, files: rollbacksOf(found.manifest, run).first, change: true },
    ],
    inside,
  );
  if (!answer.ok) return answer;
  for (const note of answer.notes) log.warn({ job_id: jobId, restarts }, note);
  const places = placesOf(config.workDir, jobId, restarts);
  const cleared = await clearScratch({ exec, lanes, scratch: config.scratch }, owner, found.manifest, inside);
  return cleared.ok ? unpack(exec, lanes, owner, archiveOf(found, places), inside) : cleared;
}

/** The batch task; null where there is no such process. */
export async function taskOf(proc: string, pid: number): Promise<StartedRun['task']> {
  const process = await readProcess(proc, pid);
  return process && { pid, startTime: process.startTime };
}
