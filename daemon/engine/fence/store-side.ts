import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Millis } from '../../vocabulary/job.ts';
import { RUN_VERSION } from '../manifest.ts';
import type { BatchRun } from './batch-runs.ts';
import { lookAtStore } from './look-at-store.ts';
import type { FencePorts } from './ports.ts';
import { type StoreWord, storeWord } from './words.ts';

/** Of one look: Slurm's commands wait longer by themselves, and looks have to come every few seconds. */
export const LOOK_TIMEOUT_MS: Millis = 4_000;

/** What the fence has to do with the store. Neither act is waited for: the store may hang. */
export interface StoreSide {
  /** The store's word on each run. Never rejects. */
  look(runs: readonly BatchRun[]): Promise<readonly StoreWord[]>;
  /**
   * This node's own folder, by which it knows the store: made once between two boots, or an engine that is started
   * while the store is not mounted would make it in the empty mount point.
   */
  settleIn(): void;
  /**
   * Records that the run is here, where nothing is recorded of its job: the node that Slurm gives the job to has
   * something to find then, be it a job without a checkpoint.
   */
  claim(run: BatchRun): void;
}

export function createStoreSide({ exec, proc, config, store, log }: FencePorts): StoreSide {
  const { dir, clusterId, runDir } = config;
  const mine = `${dir} ${clusterId}\n`;
  const note = join(runDir, 'store-seen');
  const { node } = config.slurm;
  const looker = { exec, proc, dir, clusterId, node, timeoutMs: LOOK_TIMEOUT_MS };
  const underWay = new Set<string>();
  let settled = false;

  function once(name: string, body: () => Promise<void>): void {
    if (underWay.has(name)) return;
    underWay.add(name);
    body()
      .catch((error: Error) => log.warn({ err: error }, `the fence cannot use the store: ${error.message}`))
      .finally(() => underWay.delete(name));
  }

  function noted(): string {
    try {
      return readFileSync(note, 'utf8');
    } catch {
      return '';
    }
  }

  return {
    async look(runs) {
      const jobs = runs.map(({ jobId }) => jobId);
      const seen = await lookAtStore(looker, jobs);
      if (seen.type === 'away') return runs.map(() => seen);
      return runs.map((run) => storeWord(seen.runs.get(run.jobId) ?? null, run, node));
    },
    settleIn() {
      if (settled) return;
      once('settle', async () => {
        if (noted() !== mine) {
          await store.upkeep.settleIn();
          writeFileSync(note, mine, { mode: 0o600 });
        }
        settled = true;
      });
    },
    claim({ jobId, startedAt }) {
      // How often it was restarted nobody here knows: 0 hinders nobody.
      const run = { version: RUN_VERSION, jobId, clusterId, restarts: 0, node, startedAt } as const;
      once(`claim ${jobId}`, () => store.claimRun(run));
    },
  };
}
