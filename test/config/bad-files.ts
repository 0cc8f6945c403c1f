/** A text that is no configuration. */
export interface BadFile {
  readonly text: string;
  /** Exactly what a person is told, without the file's name. */
  readonly says: readonly string[];
  /** Whether an editor with schema.json sees it too; null where the text is not even data. */
  readonly inEditor: boolean | null;
}

const DURATION = 'a duration such as 500ms, 90s, 15m, 2h or 1d';
const GLOB = 'a name, with * and ? as the only wildcards';
const MAPPING = 'a mapping of keys to values';
const POLITE = 'slurmctld answers every node of the cluster';
const TOP = 'cluster_id, api, slurm, heartbeat, policies, restore, notices, socket, state_dir, log';

function seen(text: string, ...says: string[]): BadFile {
  return { text, says, inEditor: true };
}

/** Only the daemon sees these: bounds of durations, what a text means, what two keys mean together. */
function unseen(text: string, ...says: string[]): BadFile {
  return { text, says, inEditor: false };
}

function noData(text: string, ...says: string[]): BadFile {
  return { text, says, inEditor: null };
}

export const BAD_FILES: readonly BadFile[] = [
  // Keys
  seen('heartbaet: {}', '1:1: heartbaet: unknown key; did you mean heartbeat?'),
  seen('slurm: {pollNode: 3s}', '1:9: slurm.pollNode: unknown key; did you mean poll_node?'),
  seen(
    'slurm:\n  nodes: n1\n  binary: /x',
    '2:3: slurm.nodes: unknown key; did you mean node?',
    '3:3: slurm.binary: unknown key; known here: node, bin, conf, poll_node, rescan_jobs, reconcile',
  ),
  seen('api: {token: abc}', '1:7: api.token: unknown key; known here: url, token_file, ca_file, timeout'),
  seen('__proto__: {a: 1}', `1:1: __proto__: unknown key; known here: ${TOP}`),
  seen('constructor: 1', `1:1: constructor: unknown key; known here: ${TOP}`),
  seen('toString: 1', `1:1: toString: unknown key; known here: ${TOP}`),
  seen('<<: {log: {level: debug}}', `1:1: ["<<"]: unknown key; known here: ${TOP}`),
  seen('policies: [{}]', '1:12: policies[0].match: is missing'),
  seen(
    'policies:\n  - match: {}\n    heartbeat: {concurrency: 3}',
    '3:17: policies[0].heartbeat.concurrency: unknown key; known here: schedule, every, splay, min_age, kind',
  ),
  noData('log: {level: info}\nlog: {level: debug}', '2:1: log: is there twice'),
  // Types
  seen('heartbeat:', `1:11: heartbeat: is empty, and must be ${MAPPING}`),
  seen('heartbeat: []', `1:12: heartbeat: must be ${MAPPING}, not a list`),
  seen('policies: {}', '1:11: policies: must be a list, not a mapping'),
  seen('policies: [3]', `1:12: policies[0]: must be ${MAPPING}, not the number 3`),
  seen('restore: {on_drain: yes}', '1:21: restore.on_drain: must be true or false, not text'),
  seen(
    'log: {level: verbose}',
    '1:14: log.level: must be one of trace, debug, info, warn, error, fatal, not "verbose"',
  ),
  seen(
    'log: {level: 3}',
    '1:14: log.level: must be one of trace, debug, info, warn, error, fatal, not the number 3',
  ),
  seen(
    'heartbeat: {concurrency: 1.5}',
    '1:26: heartbeat.concurrency: must be a whole number from 1 to 64, not the number 1.5',
  ),
  seen(
    'heartbeat: {concurrency: 0}',
    '1:26: heartbeat.concurrency: must be a whole number from 1 to 64, not the number 0',
  ),
  seen(
    'heartbeat: {concurrency: "2"}',
    '1:26: heartbeat.concurrency: must be a whole number from 1 to 64, not text',
  ),
  seen(
    'restore: {concurrency: .inf}',
    '1:24: restore.concurrency: must be a whole number from 1 to 64, not the number Infinity',
  ),
  seen('cluster_id: n1', '1:13: cluster_id: must be a UUID'),
  seen('state_dir: var/lib', '1:12: state_dir: must be an absolute path'),
  seen('state_dir: "/a\\0b"', '1:12: state_dir: must be an absolute path'),
  seen('[]', `1:1: must be ${MAPPING}, not a list`),
  seen('hello', `1:1: must be ${MAPPING}, not text`),
  // Durations
  seen('api: {timeout: 10}', `1:16: api.timeout: must be ${DURATION}, not the number 10`),
  seen('api: {timeout: 10 s}', `1:16: api.timeout: must be ${DURATION}, not "10 s"`),
  seen('api: {timeout: 1h30m}', `1:16: api.timeout: must be ${DURATION}, not "1h30m"`),
  seen('api: {timeout: -5s}', `1:16: api.timeout: must be ${DURATION}, not "-5s"`),
  unseen('slurm: {poll_node: 500ms}', `1:20: slurm.poll_node: must be at least 1s, not 500ms: ${POLITE}`),
  unseen('slurm: {reconcile: 5s}', `1:20: slurm.reconcile: must be at least 10s, not 5s: ${POLITE}`),
  unseen(
    'heartbeat: {every: 5s}',
    '1:20: heartbeat.every: must be at least 10s, not 5s: a job that is always being checkpointed does not compute',
  ),
  unseen(
    'notices: {ec2: {poll: 2m}}',
    '1:23: notices.ec2.poll: must be at most 1m, not 2m: a notice comes 120s ahead',
  ),
  // Heartbeats
  seen(
    'heartbeat: {schedule: "* * * *"}',
    '1:23: heartbeat.schedule: must be a cron line such as "*/15 * * * *"',
  ),
  unseen('heartbeat: {schedule: "61 * * * *"}', '1:23: heartbeat.schedule: "61" is not possible as minute'),
  unseen(
    'heartbeat: {schedule: "0 0 31 2 *"}',
    '1:23: heartbeat.schedule: "31" is not possible as day of month',
  ),
  unseen('heartbeat: {schedule: "0-99999999 * * * *"}', '1:23: heartbeat.schedule: 99999999 is out of range'),
  unseen(
    'heartbeat: {schedule: "*/5 * * * * *"}',
    '1:23: heartbeat.schedule: must not fire more often than every 10s',
  ),
  seen(
    'heartbeat: {schedule: "@hourly", every: 5m}',
    '1:41: heartbeat.every: excludes schedule: keep one of the two',
  ),
  seen(
    'policies: [{match: {}, heartbeat: {every: 5m, schedule: "@daily"}}]',
    '1:43: policies[0].heartbeat.every: excludes schedule: keep one of the two',
  ),
  unseen('heartbeat: {every: 5m, splay: 6m}', '1:31: heartbeat.splay: must not be longer than every, 5m'),
  seen(
    'heartbeat: {kind: full}',
    '1:19: heartbeat.kind: must be one of simple, rootfs, rootfsonly, not "full"',
  ),
  // Policies
  seen('policies: [{match: {partition: "a,b"}}]', `1:32: policies[0].match.partition: must be ${GLOB}`),
  seen(
    'policies: [{match: {user: 12}}]',
    `1:27: policies[0].match.user: must be ${GLOB}, not the number 12: put it in quotes`,
  ),
  seen('policies: [{match: {name: ""}}]', `1:27: policies[0].match.name: must be ${GLOB}`),
  // The API
  unseen(
    'api: {url: http://api.example.com}',
    '1:12: api.url: must be https: plain http is for loopback only, for the token would be readable on the way',
  ),
  unseen(
    'api: {url: https://me:secret@api.example.com}',
    '1:12: api.url: must not hold a user or a password',
  ),
  unseen('api: {url: unix:run/x}', '1:12: api.url: must be unix:/absolute/path'),
  seen('api: {url: "https://a b"}', '1:12: api.url: must be an https: or unix: URL'),
  // Restore, notices, socket
  unseen(
    'restore: {skip_reasons: ["ok", "(a"]}',
    '1:32: restore.skip_reasons[1]: is no regular expression: Unterminated group',
  ),
  seen(
    `restore: {skip_reasons: [${'a'.repeat(201)}]}`,
    '1:26: restore.skip_reasons[0]: is longer than 200 characters',
  ),
  seen('restore: {skip_reasons: [""]}', '1:26: restore.skip_reasons[0]: must be a regular expression'),
  seen('restore: {source_job: keep}', '1:23: restore.source_job: must be one of cancel, leave, not "keep"'),
  seen('notices: {providers: [auto, auto]}', '1:22: notices.providers: has an entry twice'),
  seen(
    'notices: {providers: [gpc]}',
    '1:23: notices.providers[0]: must be one of auto, ec2, gcp, azure, alibaba, file, logind, not "gpc"',
  ),
  seen(
    'notices: {ec2: {endpoint: 169.254.169.254}}',
    '1:27: notices.ec2.endpoint: must be an http: or https: URL',
  ),
  unseen(
    'notices: {ec2: {endpoint: "http://h/?a"}}',
    '1:27: notices.ec2.endpoint: must not hold a query or a fragment',
  ),
  seen(
    'socket: {mode: 0600}',
    '1:16: socket.mode: must be octal digits in quotes, such as "0600", not the number 600: put it in quotes',
  ),
  seen(
    'socket: {mode: "0666"}',
    '1:16: socket.mode: must not let everybody write: who writes there can move jobs',
  ),
  seen('socket: {mode: "4755"}', '1:16: socket.mode: must be octal digits in quotes, such as "0600"'),
  seen('socket: {group: -x}', '1:17: socket.group: must be a group name'),
  seen('slurm: {node: -x}', '1:15: slurm.node: must be a node name'),
  seen(`socket: {path: /${'a'.repeat(107)}}`, '1:16: socket.path: is longer than 107 bytes'),
  unseen(`socket: {path: /${'ä'.repeat(60)}}`, '1:16: socket.path: is longer than 107 bytes'),
  // YAML
  noData(
    'log: {level: info',
    '1:18: Flow map in block collection must be sufficiently indented and end with a }',
  ),
  noData(
    'heartbeat:\n  schedule: */5 * * * *',
    '2:13: heartbeat.schedule: no anchor &/5 before this; text that begins with * needs quotes',
    '2:17: Unexpected alias at node end',
  ),
  noData(
    'heartbaet: {}\nlog: {level: @info}',
    '1:1: heartbaet: unknown key; did you mean heartbeat?',
    '2:14: Plain value cannot start with reserved character @',
  ),
  noData('log: !!binary {level: info}', '1:6: Unresolved tag: tag:yaml.org,2002:binary'),
  noData(
    'heartbeat: &a [*a]',
    `1:15: heartbeat: must be ${MAPPING}, not a list`,
    '1:16: heartbeat[0]: no anchor &a before this; text that begins with * needs quotes',
  ),
  noData(
    'log: {level: info}\n---\nlog: {level: info}',
    '2:1: begins a second document, which nothing would read',
  ),
];
