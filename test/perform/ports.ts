import type {
  ActionsApi,
  Performance,
  PerformPorts,
  RestoreAttempt,
  RestoredLook,
  SlurmActions,
} from '../../daemon/perform/ports.ts';
import type { JobAnswer } from '../../daemon/slurm/squeue.ts';
import type { Effect } from '../../daemon/vocabulary/effect.ts';
import type { DaemonEvent } from '../../daemon/vocabulary/event.ts';
import type { JobFacts } from '../../daemon/vocabulary/job.ts';

/** A running job as Slurm tells of it. */
export function running(fields: Partial<JobFacts> = {}): JobFacts {
  return {
    jobId: 7,
    restarts: 0,
    uid: 2000,
    user: 'alice',
    state: 'RUNNING',
    nodes: ['n1'],
    batchHost: 'n1',
    partition: 'main',
    account: '',
    qos: '',
    name: 'count',
    cpus: 1,
    startAt: 1_000,
    submitAt: 500,
    requeue: true,
    hetJobId: null,
    ...fields,
  };
}

/** Ports whose answers are scripted: the last answer of each list is given again and again. */
export function scripted(
  script: {
    restore?: readonly (RestoreAttempt | (() => Promise<RestoreAttempt>))[];
    /** Facts stand for an answer with them. */
    queryJob?: readonly (JobFacts | JobAnswer)[];
    look?: readonly RestoredLook[];
  } & Partial<Pick<ActionsApi, 'checkpoint' | 'awaitReady'>> &
    Partial<Pick<SlurmActions, 'setRequeue' | 'endRun' | 'queryNode' | 'drainNode' | 'undrainNode'>>,
) {
  const calls: string[] = [];
  const events: DaemonEvent[] = [];
  const slept: number[] = [];
  let now = 10_000;
  const job = answers<JobFacts | JobAnswer>(script.queryJob ?? [running()]);
  const look = answers<RestoredLook>(script.look ?? [{ type: 'not-yet' }]);
  const restore = answers(script.restore ?? [{ type: 'accepted' as const, actionId: 'new' }]);
  const never = () => Promise.reject(new Error('not expected in this test'));
  const ports: PerformPorts = {
    clusterId: 'cluster',
    api: {
      checkpoint: script.checkpoint ?? never,
      awaitReady: script.awaitReady ?? never,
      async restoreOnce({ actionId, clusterId, reason }) {
        calls.push(`restore ${actionId} ${clusterId} ${reason}`);
        const answer = restore();
        return typeof answer === 'function' ? answer() : answer;
      },
    },
    slurm: {
      async queryJob() {
        calls.push('query-job');
        const answer = job();
        return 'type' in answer ? answer : { type: 'job', facts: answer, target: `${answer.jobId}` };
      },
      async lookForRestored() {
        calls.push('look-for-restored');
        return look();
      },
      setRequeue: script.setRequeue ?? never,
      endRun: script.endRun ?? never,
      queryNode: script.queryNode ?? never,
      drainNode: script.drainNode ?? never,
      undrainNode: script.undrainNode ?? never,
    },
    clock: {
      now: () => now,
      async sleep(ms, signal) {
        signal?.throwIfAborted();
        slept.push(ms);
        now += ms;
      },
    },
    log: { debug() {}, info() {}, warn() {}, error() {}, fatal() {} },
    random: () => 0.5,
    emit: (event) => events.push(event),
  };
  return { ports, calls, events, slept };
}

function answers<T>(list: readonly T[]): () => T {
  let next = 0;
  return () => list[Math.min(next++, list.length - 1)] as T;
}

export const RESTORE: Extract<Effect, { kind: 'restore' }> = {
  kind: 'restore',
  id: 'restore:7.0:9000',
  jobId: 7,
  restarts: 0,
  actionId: 'saved',
  reason: 'nodeUnschedulable',
  newJob: true,
  requestId: null,
};

/** One performance of an effect, with the marks that it made. */
export function performance<E extends Effect>(effect: E, fields: Partial<Performance<E>> = {}) {
  const recall = new AbortController();
  const end = new AbortController();
  const marks: string[] = [];
  const p: Performance<E> = {
    effect,
    sentBefore: null,
    markSent: () => marks.push(effect.id),
    recall: recall.signal,
    signal: end.signal,
    ...fields,
  };
  return { p, recall, end, marks };
}
