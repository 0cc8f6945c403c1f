/*
 * The effects under way in this process. Each is performed once here, however often it is handed in; those of
 * one job that change its run in Slurm, and those that change the node, keep their order; a recall reaches the one that is performed. What ends
 * with the process stays unsettled in the journal, and the next process takes it up.
 */
import { type Effect, isNodeEffect } from '../vocabulary/effect.ts';
import type { EpochMs, JobId } from '../vocabulary/job.ts';
import type { Outcome } from '../vocabulary/outcome.ts';
import { laneOf, perform } from './perform.ts';
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
  const running = new Map<string, { recall: AbortController; end: Promise<void> }>();
  const lanes = new Map<JobId | 'node', Promise<void>>();

  async function run(effect: Effect, sentBefore: EpochMs | null, recall: AbortSignal, turn: Promise<void>) {
    await turn;
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
      const recall = new AbortController();
      const lane = laneOf(effect);
      const turn = (lane === null ? null : lanes.get(lane)) ?? Promise.resolve();
      const end = run(effect, sentBefore, recall.signal, turn);
      running.set(effect.id, { recall, end });
      if (lane === null) return;
      lanes.set(lane, end);
      void end.then(() => {
        if (lanes.get(lane) === end) lanes.delete(lane);
      });
    },
    recall: (effectId) => running.get(effectId)?.recall.abort(),
    underWay: () => [...running.keys()],
    drained: async () => {
      await Promise.all([...running.values()].map(({ end }) => end));
    },
  };
}
