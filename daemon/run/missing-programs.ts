import { basename } from 'node:path';
import type { Clock, Log } from '../system/ports.ts';
import type { SystemExec } from '../system/process/exec.ts';
import type { EpochMs, Millis } from '../vocabulary/job.ts';

/** How often the log repeats that a program is missing. */
const REMIND_EVERY: Millis = 3_600_000;
const SLURMS: ReadonlySet<string> = new Set(['squeue', 'sinfo', 'scontrol', 'scancel']);

export interface WatchedExec extends SystemExec {
  /** Slurm's programs that could not be started the last time. Without them nothing is known of this node. */
  missing(): readonly string[];
}

/**
 * Distinguishes a wrong `slurm.bin` from a Slurm that does not answer. The latter passes by itself; the former never
 * does, and no job is saved.
 */
export function watchForMissing(exec: SystemExec, { clock, log }: { clock: Clock; log: Log }): WatchedExec {
  const saidAt = new Map<string, EpochMs>();
  return {
    counters: () => exec.counters(),
    missing: () => [...saidAt.keys()],
    async run(command, signal) {
      const result = await exec.run(command, signal);
      const { file } = command;
      if (!SLURMS.has(basename(file))) return result;
      if (result.ok || result.why !== 'missing') {
        // A command that was aborted before its start says nothing about its program.
        if (result.ok || result.why !== 'aborted') saidAt.delete(file);
        return result;
      }
      const now = clock.now();
      if (now - (saidAt.get(file) ?? Number.NEGATIVE_INFINITY) < REMIND_EVERY) return result;
      saidAt.set(file, now);
      const advice = 'set slurm.bin to the folder of squeue, scontrol, sinfo and scancel';
      log.error({ file, problem: result.message, advice }, `${file} is missing: no job of this node is safe`);
      return result;
    },
  };
}
