import * as v from 'valibot';
import { parseApiUrl } from './api-url.ts';
import { block, key, optionalKey } from './block.ts';
import {
  absolutePath,
  count,
  duration,
  flag,
  groupName,
  listOf,
  oneOf,
  parsed,
  parseRegExp,
  socketMode,
  socketPath,
  text,
  uuid,
} from './fields.ts';
import { heartbeatSchema, policySchema } from './heartbeat-schema.ts';
import { noticesSchema } from './notices-schema.ts';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
/** First letter or digit: it becomes an argument of scontrol, and must not look like an option. */
export const NODE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/** What the examples have in the place of an API, and nobody serves. */
const isExample = (base: string) => new URL(base).hostname === 'api.example.com';

const POLITE = 'slurmctld answers every node of the cluster';

const api = block({
  url: optionalKey(
    'https://host of Cedana, or unix:/path of ckptd-engine. Else CEDANA_URL of the environment.',
    v.pipe(
      text('an https: or unix: URL', /^\S+$/, 2048),
      parsed(parseApiUrl),
      v.check(({ base }) => !isExample(base), "is the example's: set your organisation's URL"),
    ),
  ),
  token_file: optionalKey(
    'File with the bearer token, for root alone. Else the systemd credential `cedana-token`, else CEDANA_AUTH_TOKEN.',
    absolutePath(),
  ),
  ca_file: optionalKey('PEM file of a private CA that signed the certificate of the API.', absolutePath()),
  timeout: key(
    'How long one call may take.',
    duration({
      atLeast: ['1s', 'a TLS handshake takes its time'],
      atMost: ['5m', 'a termination notice may leave 30s'],
    }),
    '10s',
  ),
});

const slurm = block({
  node: optionalKey(
    'Name of this node in Slurm. Default: the host name up to its first dot.',
    text('a node name', NODE_NAME, 64),
  ),
  bin: key('Folder of squeue, scontrol, sinfo and scancel.', absolutePath(), '/usr/bin'),
  conf: key(
    'slurm.conf of this cluster. On a configless node, which has none at the default place, Slurm finds its own.',
    absolutePath(),
    '/etc/slurm/slurm.conf',
  ),
  poll_node: key(
    'How often the state of this node, and of the nodes of its jobs, is asked for. On a cluster of more than 1,500 nodes one second for every hundred of them.',
    duration({ atLeast: ['1s', POLITE], atMost: ['10m', 'a drain would be seen too late'] }),
    '15s',
  ),
  rescan_jobs: key(
    'How often the jobs of this node are looked up locally.',
    duration({
      atLeast: ['1s', 'every look costs the jobs some time'],
      atMost: ['1h', 'a job would start unseen'],
    }),
    '60s',
  ),
  reconcile: key(
    'How often each job of this node is looked at in Slurm although nothing seems to have happened to it. Where the sockets of slurmd cannot be read, one full squeue instead.',
    duration({ atLeast: ['10s', POLITE], atMost: ['1d', 'what was missed would stay so'] }),
    '30m',
  ),
});

const restore = block({
  on_drain: key('Jobs leave a node that is drained.', flag(), true),
  on_termination: key('Jobs leave a node that is about to be terminated.', flag(), true),
  skip_reasons: key(
    'Regular expressions (JavaScript, case-sensitive); jobs outlive a drain whose reason matches one.',
    listOf(v.pipe(text('a regular expression', /^[\s\S]+$/, 200), parsed(parseRegExp)), 100),
    [],
  ),
  final_checkpoint: key(
    'Take one more checkpoint before the restore, if there is time for it.',
    flag(),
    true,
  ),
  source_job: optionalKey(
    'cancel: a restore is a new job, and the old one ends (default for https). leave: the same job is requeued (default for unix:).',
    oneOf(['cancel', 'leave']),
  ),
  concurrency: key('Restores under way at once on this node.', count(1, 64), 4),
  dry_run: key(
    'Heartbeats go on, but nothing is drained, restored or ended: what would be done is logged and kept in the history.',
    flag(),
    false,
  ),
});

const socket = block({
  path: key('Where the hooks, and people with curl, find the daemon.', socketPath(), '/run/ckptd/ckptd.sock'),
  mode: key('Permissions in octal digits.', socketMode(), '0600'),
  group: key('Group that owns the socket.', groupName(), 'root'),
});

/** /etc/ckptd/ckptd.yaml. The output still has the file's names, and lengths of time in milliseconds. */
export const fileSchema = block({
  cluster_id: optionalKey(
    'UUID of this cluster at the API. Else CEDANA_CLUSTER_ID of the environment.',
    uuid(),
  ),
  api: key('The server that takes checkpoints and restores jobs.', api, {}),
  slurm: key('Slurm on this node.', slurm, {}),
  heartbeat: key('When running jobs are checkpointed.', heartbeatSchema, {}),
  policies: key(
    'Jobs that are treated differently: the first that matches wins.',
    listOf(policySchema, 1000),
    [],
  ),
  restore: key('What happens to the jobs of a node that goes away.', restore, {}),
  notices: key('How this node learns that it will be terminated.', noticesSchema, {}),
  socket: key('The Unix socket of the daemon.', socket, {}),
  state_dir: key('Folder of the journal.', absolutePath(), '/var/lib/ckptd'),
  log: key(
    'The log, on standard error.',
    block({ level: key('Least level.', oneOf(LOG_LEVELS), 'info') }),
    {},
  ),
});

export type FileData = v.InferOutput<typeof fileSchema>;
