/*
 * The effects under way in this process. Each is performed once, however often it is handed in. Effects that change one
 * job's run in Slurm keep their order, and so do those that change the node. A recall reaches an effect while it runs
 * and while it waits. Setting `Requeue=1` again is retried while slurmctld is away, but the next effect of the job
 * recalls it: a job that is moved after all cannot wait. An effect that the process does not finish stays unsettled in
 * the journal, and the next process takes it up.
 */
import { type Effect, isNodeEffect } from '../vocabulary/effect.ts';
import type { EpochMs, JobId } from '../vocabulary/job.ts';
import type { Outcome } from '../vocabulary/outcome.ts';
import { orderKeyOf, perform } from './perform.ts';
import type { PerformPorts } from './ports.ts';

export interface Outbox {
  /** @param sentBefore when an earlier process may have sent it; null for a new effect. */
  take(effect: Effect, sentBefore: EpochMs | null): void;
  recall(effectId: string): void;
  /** Ids of the effects under way. */
  underWay(): readonly string[];
  /** After the signal was aborted: resolves when nothing is under way. */
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
    // An effect that may have been sent has to be checked even if it is recalled, and so has the node.
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
      ports.log.error({ err: error, effect: effect.id, ...job }, 'an effect failed by a defect of ckptd');
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
      // An effect that is recalled while it waits may end before those in front of it.
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

/** True for setting `Requeue=1` if the next effect unsets it again, or restores the run as another job. */
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
