import * as v from 'valibot';
import { CHECKPOINT_KINDS } from '../../vocabulary/job.ts';
import { block, isMapping, key, optionalKey, requiredKey } from './block.ts';
import { CRON_SHAPE, cronProblem } from './cron-line.ts';
import { formatDuration } from './duration.ts';
import { count, duration, flag, oneOf, text } from './fields.ts';

/** A cron line with single blanks, so that two that mean the same to people are one to the schedule. */
const cronLine = v.pipe(
  text('a cron line such as "*/15 * * * *"', CRON_SHAPE),
  v.rawCheck<string>(({ dataset, addIssue }) => {
    const problem = dataset.issues === undefined && dataset.typed ? cronProblem(dataset.value) : null;
    if (problem !== null) addIssue({ message: problem });
  }),
  v.transform((line) => line.trim().replace(/\s+/g, ' ')),
);

/** The keys of a heartbeat that a policy may change. Their defaults are in `heartbeat-rule.ts`. */
const keys = {
  schedule: optionalKey(
    'Cron line, local time, five fields (or six, with seconds first). Default for all jobs "*/15 * * * *". Excludes `every`.',
    cronLine,
  ),
  every: optionalKey(
    'Length of time since the start of each job, instead of `schedule`.',
    duration({
      atLeast: ['10s', 'a job that is always being checkpointed does not compute'],
      atMost: ['7d', 'a longer one is no protection; use `enabled: false` in a policy'],
    }),
  ),
  splay: optionalKey(
    'Heartbeats are spread over this length of time by a hash of the job. Default for all jobs 5m, or `every` if shorter.',
    duration({ atMost: ['1d', 'a heartbeat must be due before the next'] }),
  ),
  min_age: optionalKey(
    'Jobs younger than this get no heartbeat. Default for all jobs 2m.',
    duration({ atMost: ['7d', 'few jobs become that old'] }),
  ),
  kind: optionalKey(
    'simple: the processes; rootfs: and their node-local files; rootfsonly: those files alone. Default for all jobs simple.',
    oneOf(CHECKPOINT_KINDS),
  ),
};

export const heartbeatSchema = whole(
  block({
    ...keys,
    concurrency: key('Checkpoints under way at once on this node.', count(1, 64), 2),
  }),
);

const policyHeartbeat = whole(block(keys));

/** Slurm's own names have none of the excluded characters, so one of them means a list or another wildcard. */
const glob = text('a name, with * and ? as the only wildcards', /^[^\u0000-\u001f\u007f,{}[\]]+$/);
const jobNameGlob = text('a name, with * and ? as the only wildcards', /^[^\u0000-\u001f\u007f]+$/);

/** A treatment of its own for some jobs. */
export const policySchema = block({
  match: requiredKey(
    'Which jobs: all of these must match. An empty mapping matches every job.',
    block({
      partition: optionalKey('Partition of the job.', glob),
      user: optionalKey('User name.', glob),
      account: optionalKey('Account.', glob),
      qos: optionalKey('Quality of service.', glob),
      name: optionalKey('Job name.', jobNameGlob),
    }),
  ),
  enabled: key('Whether these jobs get heartbeats and restores.', flag(), true),
  resume: key(
    'Whether a job that Slurm requeued goes on from its last checkpoint. The engine reads this; false: it starts anew.',
    flag(),
    true,
  ),
  heartbeat: key(
    'What differs from the top-level heartbeat; `every` replaces its schedule, `schedule` its every.',
    policyHeartbeat,
    {},
  ),
});

/** What only shows when a heartbeat is seen as a whole. */
function whole<const Schema extends v.GenericSchema>(schema: Schema) {
  return v.pipe(
    schema,
    v.rawCheck<v.InferOutput<Schema>>(({ dataset, addIssue }) => {
      if (!isMapping(dataset.value)) return;
      // What has a problem of its own is still as the file has it.
      const value: { schedule?: unknown; every?: unknown; splay?: unknown } = dataset.value;
      const at = (key: keyof typeof value): [v.ObjectPathItem] => [
        { type: 'object', origin: 'value', input: value, key, value: value[key] },
      ];
      if (value.every === undefined) return;
      if (value.schedule !== undefined) {
        addIssue({ message: 'excludes schedule: keep one of the two', path: at('every') });
      }
      if (typeof value.every === 'number' && typeof value.splay === 'number' && value.splay > value.every) {
        addIssue({
          message: `must not be longer than every, ${formatDuration(value.every)}`,
          path: at('splay'),
        });
      }
    }),
    v.metadata({ not: { required: ['schedule', 'every'] } }),
  );
}
