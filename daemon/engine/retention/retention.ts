/*
 * When checkpoints go: right after their job ended for good, which its Epilog tells; and, for what nobody told,
 * by a round through this node's own jobs, soon after the start and then hourly, at a time that is a hash of the
 * node's. A job that was requeued, or that a dead node took along, keeps them.
 */
import { type Background, inBackground } from '../../system/async/background.ts';
import { nextBeat } from '../../system/node-phase.ts';
import type { EpochMs, JobId, Millis } from '../../vocabulary/job.ts';
import { StoreError } from '../store-error.ts';
import { followEnded } from './ended.ts';
import type { RetentionPorts } from './ports.ts';
import { GONE_AFTER, lookAfter, tidyUp } from './sweep.ts';

const FIRST_WITHIN: Millis = 60_000;
const EVERY: Millis = 3_600_000;
/** Other nodes' folders are looked at once a day by each. */
const DAY: Millis = 24 * 3_600_000;

export interface Retention extends Background {
  /** The job's Epilog ran here. */
  ended(jobId: JobId): void;
}

/** `onRemoved`: this checkpoint was under way when an earlier engine ended, and will never be ready. */
export function startRetention(
  ports: RetentionPorts & { readonly onRemoved: (actionId: string) => void },
  signal: AbortSignal,
): Retention {
  const { store, clock, node, log } = ports;
  const own = new AbortController();
  const either = AbortSignal.any([signal, own.signal]);
  const ended = followEnded(ports, either);

  const background = inBackground(either, async (until) => {
    await sparing(async () => {
      for (const actionId of await tidyUp(ports, until)) ports.onRemoved(actionId);
    });
    let round = nextBeat(node, FIRST_WITHIN, clock.now());
    let strangers = nextBeat(node, DAY, clock.now());
    for (;;) {
      await clock.sleep(round - clock.now(), until);
      await sparing(() => ownRound(until));
      if (clock.now() >= strangers) {
        await sparing(() => strangersRound(until));
        strangers = nextBeat(node, DAY, clock.now());
      }
      round = nextBeat(node, EVERY, clock.now());
    }
  });

  async function ownRound(until: AbortSignal): Promise<void> {
    await store.upkeep.freshen(clock.now());
    await lookAfter(ports, node, until);
  }

  async function strangersRound(until: AbortSignal): Promise<void> {
    for (const silent of await store.upkeep.silentSince(goneSince(clock.now()))) {
      log.info(
        { gone: silent },
        `node ${silent} has looked after nothing for a week: its checkpoints are looked into`,
      );
      await lookAfter(ports, silent, until);
      if ((await store.upkeep.jobsOf(silent)).length === 0) await store.upkeep.dropNode(silent);
    }
  }

  /** A store that is away comes back; the next round sees to it. */
  async function sparing(body: () => Promise<void>): Promise<void> {
    try {
      await body();
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      log.warn({ err: error }, `checkpoints are not looked after: ${error.message}`);
    }
  }

  return {
    done: background.done,
    ended: ended.tell,
    async [Symbol.asyncDispose]() {
      own.abort();
      await background[Symbol.asyncDispose]();
      await ended.settled();
    },
  };
}

function goneSince(now: EpochMs): EpochMs {
  return now - GONE_AFTER;
}
