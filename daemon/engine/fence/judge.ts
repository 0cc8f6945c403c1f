import type { Millis } from '../../vocabulary/job.ts';
import type { BatchRun } from './batch-runs.ts';
import { type Holds, nameOf } from './hold.ts';
import type { FencePorts } from './ports.ts';
import type { StoreSide } from './store-side.ts';
import { type SlurmWord, type StoreWord, type Verdict, verdictOf } from './words.ts';

/** Of one look at one run. */
export interface Words {
  readonly slurm: SlurmWord;
  readonly store: StoreWord;
}

export interface Judge {
  /** Does with each run what the words on it say. Never rejects: what fails is logged, and tried again. */
  judge(
    runs: readonly BatchRun[],
    words: readonly Words[],
    silence: { readonly age: Millis; readonly slurmdTimeoutMs: Millis },
  ): Promise<void>;
  /** Slurm's words so far count no more. */
  forget(): void;
}

export function createJudge({ log }: FencePorts, holds: Holds, store: StoreSide): Judge {
  /** Runs that were superseded at the last turn. */
  let doubted: ReadonlySet<string> = new Set();
  const said = new Set<string>();

  async function act(run: BatchRun, verdict: Verdict, words: Words, again: boolean): Promise<void> {
    if (verdict.type === 'superseded' && (verdict.by === 'store' || again)) await holds.end(run, verdict.why);
    if (verdict.type === 'isolated') await holds.freeze(run, verdict.why);
    if (verdict.type !== 'goes-on') return;
    await holds.thaw(run);
    if (words.slurm.type === 'away' && words.store.type === 'none' && !words.store.recorded) store.claim(run);
  }

  function say(run: BatchRun, error: Error): void {
    const message = `job ${run.jobId} may have two copies: ${error.message}`;
    if (said.has(`${nameOf(run)} ${message}`)) return;
    said.add(`${nameOf(run)} ${message}`);
    log.error({ job_id: run.jobId, err: error }, message);
  }

  return {
    async judge(runs, words, silence) {
      const verdicts = runs.map((_, at) => verdictOf(words[at]!.slurm, words[at]!.store, silence));
      const before = doubted;
      doubted = new Set(runs.filter((_, at) => verdicts[at]!.type === 'superseded').map(nameOf));
      const acts = runs.map((run, at) =>
        act(run, verdicts[at]!, words[at]!, before.has(nameOf(run))).catch((error: Error) => say(run, error)),
      );
      await Promise.all(acts);
    },
    forget() {
      doubted = new Set();
      said.clear();
    },
  };
}
