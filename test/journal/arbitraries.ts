import fc from 'fast-check';
import type { Effect } from '../../daemon/vocabulary/effect.ts';
import { CHECKPOINT_KINDS, type JobFacts, type JobOverride, runKey } from '../../daemon/vocabulary/job.ts';
import type { Notice } from '../../daemon/vocabulary/notice.ts';
import type {
  JobRecord,
  NodeRecord,
  NoticeRecord,
  OwnDrain,
  Plan,
  State,
} from '../../daemon/vocabulary/state.ts';

const count = fc.nat();
const time = fc.nat({ max: Number.MAX_SAFE_INTEGER });
/** Any Unicode with NUL, quotes and newlines, as Slurm's users like it. */
const text = fc.string({ unit: 'binary', maxLength: 20 });
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });
const kind = fc.constantFrom(...CHECKPOINT_KINDS);
const checkpointReason = fc.constantFrom('heartbeat' as const, 'manual' as const);
const restoreReason = fc.constantFrom(
  'nodeTermination' as const,
  'nodeUnschedulable' as const,
  'manual' as const,
);
const step = fc.constantFrom<Plan['step']>(
  ...([
    'queued',
    'guard',
    'checkpoint',
    'restore',
    'end-source',
    'stranded',
    'rehearsed',
    'done',
    'failed',
  ] as const),
);

const facts = fc.record<JobFacts>({
  jobId: count,
  restarts: count,
  uid: count,
  user: text,
  state: text,
  nodes: fc.array(text),
  batchHost: maybe(text),
  partition: text,
  account: text,
  qos: text,
  name: text,
  cpus: count,
  startAt: maybe(time),
  submitAt: time,
  requeue: fc.boolean(),
  hetJobId: maybe(count),
});

const override = fc.record(
  { every: count, kind, off: fc.boolean() },
  { requiredKeys: [] },
) as fc.Arbitrary<JobOverride>;

const jobRecord = fc.record<JobRecord>({
  facts: maybe(facts),
  jobId: count,
  restarts: count,
  override,
  heartbeat: fc.record({
    dueAt: maybe(time),
    slotAt: maybe(time),
    waiting: fc.boolean(),
    penalty: count,
    skip: count,
  }),
  asked: count,
  checkpoint: maybe(
    fc.record({
      effectId: text,
      actionId: maybe(text),
      kind,
      reason: checkpointReason,
      startedAt: time,
      requestId: maybe(text),
    }),
  ),
  ready: maybe(
    fc.record({
      actionId: text,
      kind,
      restarts: count,
      uid: count,
      jobName: text,
      submitAt: time,
      takenAt: time,
      tookMs: count,
    }),
  ),
  plan: maybe(
    fc.record({
      episode: time,
      node: maybe(text),
      reason: restoreReason,
      deadline: maybe(time),
      step,
      guarded: fc.boolean(),
      waitUntil: maybe(time),
      actionId: maybe(text),
      requestId: maybe(text),
      problem: maybe(text),
    }),
  ),
  requeueDisabledByUs: fc.boolean(),
  endedAt: maybe(time),
  endedAs: maybe(text),
});

const nodeRecord = fc.record<NodeRecord>({
  facts: fc.record({ node: text, base: text, flags: fc.array(text), reason: text }),
  awaySince: maybe(time),
});

const noticeRecord = fc.record<NoticeRecord>({
  notice: fc.record<Notice>({
    id: text,
    source: text,
    kind: fc.constantFrom('termination' as const, 'rebalance' as const),
    deadline: maybe(time),
    reason: text,
    dryRun: fc.boolean(),
  }),
  seenAt: time,
  waiting: fc.array(fc.tuple(count, count).map(([jobId, restarts]) => runKey(jobId, restarts))),
});

const ownDrain = fc.record<OwnDrain>({
  reason: text,
  step: fc.constantFrom(...(['setting', 'set', 'foreign', 'failed', 'lifting', 'lifted'] as const)),
  effectId: text,
});

export const anyState: fc.Arbitrary<State> = fc
  .record({
    clock: time,
    jobs: fc.array(jobRecord, { maxLength: 6 }),
    nodes: fc.array(nodeRecord, { maxLength: 4 }),
    notices: fc.array(noticeRecord, { maxLength: 3 }),
    ownDrain: maybe(ownDrain),
  })
  .map(({ clock, jobs, nodes, notices, ownDrain }) => ({
    clock,
    ownDrain,
    notices: new Map(notices.map((record) => [record.notice.id, record])),
    jobs: new Map(jobs.map((record) => [record.jobId, record])),
    nodes: new Map(nodes.map((record) => [record.facts.node, record])),
  }));

const run = { id: text, jobId: count, restarts: count };
export const anyEffect: fc.Arbitrary<Effect> = fc.oneof(
  fc.record({
    kind: fc.constant('checkpoint' as const),
    ...run,
    jobName: text,
    checkpointKind: kind,
    reason: checkpointReason,
    expiresAt: time,
  }),
  fc.record({ kind: fc.constant('await-ready' as const), ...run, actionId: text, expiresAt: time }),
  fc.record({
    kind: fc.constant('restore' as const),
    ...run,
    actionId: text,
    reason: restoreReason,
    newJob: fc.boolean(),
    requestId: maybe(text),
  }),
  fc.record({ kind: fc.constant('guard' as const), ...run, requeue: fc.boolean(), expiresAt: time }),
  fc.record({ kind: fc.constant('end-source' as const), ...run }),
  fc.record({
    kind: fc.constantFrom('drain-node' as const, 'undrain-node' as const),
    id: text,
    node: text,
    reason: text,
  }),
);
