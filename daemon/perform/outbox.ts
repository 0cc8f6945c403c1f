/*
 * The effects under way in this process. Each is performed once here, however often it is handed in; those of one job
 * that change its run in Slurm, and those that change the node, keep their order. A recall reaches an effect while it
 * is performed and while it waits for its turn. Giving `Requeue` back is tried for as long as slurmctld is away, and a
 * job that is to be moved after all cannot wait for that: it is taken back by what comes next for the job. What ends
 * with the process stays unsettled in the journal, and the next process takes it up.
 */
import { type Effect, isNodeEffect } from '../vocabulary/effect.ts';
import type { EpochMs, JobId } from '../vocabulary/job.ts';
import type { Outcome } from '../vocabulary/outcome.ts';
import { orderKeyOf, perform } from './perform.ts';
import type { PerformPorts } from './ports.ts';

export interface Outbox {
  /** @param sentBefore when an earlier process may have sent it; null for a fresh effect. */
  take(effect: Effect, sentBefore: EpochMs | null): void;
  recall(effectId: string): void;
  /** Ids of the effects under way. */
  underWay(): readonly string[];
  /** Resolves when nothing is under way any more, after the signal was aborted. */
  drained(): Promise<void>;
}

export interface OutboxPorts extends PerformPorts {
  readonly signal: AbortSignal;
  /** Durable before the effect may reach the world. */
  readonly markSent: (effectId: string, at: EpochMs) => void;
}

export function createOutbox(ports: OutboxPorts): Outbox {
  const running = new Map<string, { effect: Effect; recall: AbortController; end: Promise<void> }>();
  /** The last effect of each order key, to wait for. */
  const last = new Map<JobId | 'node', Promise<void>>();

  async function run(effect: Effect, sentBefore: EpochMs | null, recall: AbortSignal, turn: Promise<void>) {
    // What may have been sent has to be looked into, and so has a node, whoever takes it back.
    const mayEndWaiting = sentBefore === null && !isNodeEffect(effect);
    await (mayEndWaiting ? Promise.race([turn, aborted(recall)]) : turn);
    const markSent = () => ports.markSent(effect.id, ports.clock.now());
    const outcome = await settle(effect, () =>
      perform(ports, { effect, sentBefore, markSent, recall, signal: ports.signal }),
    );
    running.delete(effect.id);
    if (outcome !== null) ports.emit({ type: 'settled', at: ports.clock.now(), effect, outcome });
  }

  /** A defect in a performer must not leave its effect unsettled, or its job stuck, for good. */
  async function settle(effect: Effect, act: () => Promise<Outcome>): Promise<Outcome | null> {
    if (ports.signal.aborted) return null;
    try {
      return await act();
    } catch (error) {
      if (ports.signal.aborted) return null;
      const job = isNodeEffect(effect) ? {} : { job_id: effect.jobId };
      ports.log.error({ err: error, effect: effect.id, ...job }, 'performing an effect threw');
      return { type: 'unavailable', message: error instanceof Error ? error.message : String(error) };
    }
  }

  return {
    take(effect, sentBefore) {
      if (running.has(effect.id)) return;
      for (const other of running.values()) if (outdates(effect, other.effect)) other.recall.abort();
      const recall = new AbortController();
      const key = orderKeyOf(effect);
      const turn = (key === null ? null : last.get(key)) ?? Promise.resolve();
      const end = run(effect, sentBefore, recall.signal, turn);
      running.set(effect.id, { effect, recall, end });
      if (key === null) return;
      // One that was recalled while it waited may end before those in front of it.
      const done = Promise.all([turn, end]).then(() => undefined);
      last.set(key, done);
      void done.then(() => {
        if (last.get(key) === done) last.delete(key);
      });
    },
    recall: (effectId) => running.get(effectId)?.recall.abort(),
    underWay: () => [...running.keys()],
    drained: async () => {
      await Promise.all([...running.values()].map(({ end }) => end));
    },
  };
}

/** Giving back what is about to be taken again, or is of no use to a run that is brought back as another job. */
function outdates(next: Effect, before: Effect): boolean {
  if (before.kind !== 'guard' || !before.requeue) return false;
  const moves = next.kind === 'guard' || (next.kind === 'restore' && next.newJob);
  return moves && next.jobId === before.jobId;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
