import { mkdirSync } from 'node:fs';
import { decide, EMPTY_STATE } from '../../daemon/decide/decide.ts';
import { openJournal } from '../../daemon/journal/journal.ts';
import type { DaemonEvent } from '../../daemon/vocabulary/event.ts';
import type { Policy } from '../../daemon/vocabulary/policy.ts';

const MINUTE = 60_000;
const quiet = () => {};
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet, fatal: quiet };

/** Writes the journal that the daemon itself would have written on seeing so many running jobs on its node. */
export function writeJournal(dir: string, { node, jobs }: { node: string; jobs: number }): void {
  mkdirSync(dir);
  const now = Date.now() - 30 * MINUTE;
  const journal = openJournal({ dir, log, now });
  let state = EMPTY_STATE;
  for (let jobId = 1; jobId <= jobs; jobId++) {
    const event = seen(jobId, node, now + jobId);
    const decision = decide(state, event, policy(node));
    const history = decision.notes.map(({ jobId, run, kind, message, details }) => ({
      at: event.at,
      jobId,
      run,
      kind,
      message,
      details,
    }));
    const { state: after, effects } = decision;
    journal.commit({ event, before: state, after, effects, settled: null, history });
    state = after;
  }
  journal.close();
}

function seen(jobId: number, node: string, at: number): DaemonEvent {
  return {
    type: 'job',
    at,
    facts: {
      jobId,
      restarts: 0,
      uid: 1_000,
      user: 'alice',
      state: 'RUNNING',
      nodes: [node],
      batchHost: node,
      partition: 'main',
      account: 'physics',
      qos: 'normal',
      name: `relax-${jobId}`,
      cpus: 4,
      startAt: at - 10 * MINUTE,
      submitAt: at - 20 * MINUTE,
      requeue: true,
      hetJobId: null,
    },
  };
}

const policy = (node: string): Policy => ({
  node,
  rules: [
    {
      match: {},
      enabled: true,
      resume: true,
      heartbeat: { trigger: { cron: '*/15 * * * *' }, splay: 5 * MINUTE, minAge: 2 * MINUTE, kind: 'simple' },
    },
  ],
  heartbeatConcurrency: 2,
  drainNode: true,
  noticeProviders: ['auto'],
  restore: {
    onDrain: true,
    onTermination: true,
    skipReasons: [],
    finalCheckpoint: true,
    sourceJob: 'cancel',
    concurrency: 4,
    dryRun: false,
  },
});
