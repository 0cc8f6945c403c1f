import * as v from 'valibot';
import type { Effect } from '../vocabulary/effect.ts';
import { CHECKPOINT_KINDS, type RunKey } from '../vocabulary/job.ts';
import type { JobRecord, NodeRecord, NoticeRecord, OwnDrain } from '../vocabulary/state.ts';

/**
 * The shapes of the rows' JSON. `decide` trusts its state, so a row that an older ckptd, a bad disk or an editor left
 * in another shape must not reach it. The compiler holds each against the vocabulary, both ways: where one of them
 * changes, released journals need a migration.
 */
const shapeOf =
  <T>() =>
  <S extends v.GenericSchema<unknown, T>>(schema: [T] extends [v.InferOutput<S>] ? S : never) =>
    schema;

const jobId = v.pipe(v.number(), v.safeInteger());
const time = v.number();
const checkpointKind = v.picklist(CHECKPOINT_KINDS);
const checkpointReason = v.picklist(['heartbeat', 'manual']);
const restoreReason = v.picklist(['nodeTermination', 'nodeUnschedulable', 'manual']);
const text = v.nullable(v.string());
const names = v.pipe(v.array(v.string()), v.readonly());

const jobFacts = v.object({
  jobId,
  restarts: v.number(),
  uid: v.number(),
  user: v.string(),
  state: v.string(),
  nodes: names,
  batchHost: text,
  partition: v.string(),
  account: v.string(),
  qos: v.string(),
  name: v.string(),
  cpus: v.number(),
  startAt: v.nullable(time),
  submitAt: time,
  requeue: v.boolean(),
  hetJobId: v.nullable(jobId),
});

export const jobRecord = shapeOf<JobRecord>()(
  v.object({
    facts: v.nullable(jobFacts),
    jobId,
    restarts: v.number(),
    override: v.object({
      every: v.exactOptional(v.number()),
      kind: v.exactOptional(checkpointKind),
      off: v.exactOptional(v.boolean()),
    }),
    heartbeat: v.object({
      dueAt: v.nullable(time),
      slotAt: v.nullable(time),
      waiting: v.boolean(),
      penalty: v.number(),
      skip: v.number(),
    }),
    asked: v.number(),
    checkpoint: v.nullable(
      v.object({
        effectId: v.string(),
        actionId: text,
        kind: checkpointKind,
        reason: checkpointReason,
        startedAt: time,
        requestId: text,
      }),
    ),
    ready: v.nullable(
      v.object({
        actionId: v.string(),
        kind: checkpointKind,
        restarts: v.number(),
        uid: v.number(),
        jobName: v.string(),
        submitAt: time,
        takenAt: time,
        tookMs: v.number(),
      }),
    ),
    plan: v.nullable(
      v.object({
        episode: time,
        node: text,
        reason: restoreReason,
        deadline: v.nullable(time),
        step: v.picklist([
          'queued',
          'guard',
          'checkpoint',
          'restore',
          'end-source',
          'stranded',
          'rehearsed',
          'done',
          'failed',
        ]),
        guarded: v.boolean(),
        waitUntil: v.nullable(time),
        actionId: text,
        requestId: text,
        problem: text,
      }),
    ),
    requeueDisabledByUs: v.boolean(),
    endedAt: v.nullable(time),
    endedAs: text,
  }),
);

export const nodeRecord = shapeOf<NodeRecord>()(
  v.object({
    facts: v.object({ node: v.string(), base: v.string(), flags: names, reason: v.string() }),
    awaySince: v.nullable(time),
  }),
);

const runName = v.custom<RunKey>((value) => typeof value === 'string' && /^\d+\.\d+$/.test(value));

export const noticeRecord = shapeOf<NoticeRecord>()(
  v.object({
    notice: v.object({
      id: v.string(),
      source: v.string(),
      kind: v.picklist(['termination', 'rebalance']),
      deadline: v.nullable(time),
      reason: v.string(),
      dryRun: v.boolean(),
    }),
    seenAt: time,
    waiting: v.pipe(v.array(runName), v.readonly()),
  }),
);

export const ownDrain = shapeOf<OwnDrain>()(
  v.object({
    reason: v.string(),
    step: v.picklist(['setting', 'set', 'foreign', 'failed', 'lifting', 'lifted']),
    effectId: v.string(),
  }),
);

const run = { id: v.string(), jobId, restarts: v.number() };
const drain = { id: v.string(), node: v.string(), reason: v.string() };

export const effectRecord = shapeOf<Effect>()(
  v.variant('kind', [
    v.object({
      kind: v.literal('checkpoint'),
      ...run,
      jobName: v.string(),
      checkpointKind,
      reason: checkpointReason,
      expiresAt: time,
    }),
    v.object({ kind: v.literal('await-ready'), ...run, actionId: v.string(), expiresAt: time }),
    v.object({
      kind: v.literal('restore'),
      ...run,
      actionId: v.string(),
      reason: restoreReason,
      newJob: v.boolean(),
      requestId: text,
    }),
    v.object({ kind: v.literal('guard'), ...run, requeue: v.boolean(), expiresAt: time }),
    v.object({ kind: v.literal('end-source'), ...run }),
    v.object({ kind: v.literal('drain-node'), ...drain }),
    v.object({ kind: v.literal('undrain-node'), ...drain }),
  ]),
);

/** The value in a row's JSON as it was written, or what is wrong with it. */
export function readRecord<T>(
  schema: v.GenericSchema<unknown, T>,
  json: string,
): { value: T } | { problem: string } {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    return { problem: `not JSON: ${(error as Error).message}` };
  }
  const result = v.safeParse(schema, value);
  if (result.success) return { value: value as T };
  const [issue] = result.issues;
  return { problem: `${v.getDotPath(issue) ?? 'record'}: ${issue.message}` };
}
