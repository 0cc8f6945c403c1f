import type { SlurmCluster } from './slurm-cluster.ts';
import type { SlurmJob } from './slurm-job.ts';

/** One command line of Slurm's, and the format that came by the environment. */
export interface SlurmCommand {
  readonly program: string;
  readonly format: string;
  readonly args: readonly string[];
}

export interface SlurmAnswer {
  readonly exitCode: number;
  /** Standard output, or standard error where the exit code is not 0. */
  readonly text: string;
}

const UNREACHABLE = 'Unable to contact slurm controller (connect failure)';
const UNKNOWN = 'slurm_load_jobs error: Invalid job id specified';

/** What Slurm answers, in the forms that the recordings in test/sources/slurm/fixtures show. */
export function answer(
  cluster: SlurmCluster,
  spoolDir: string,
  { program, format, args }: SlurmCommand,
): SlurmAnswer {
  if (cluster.away) return no(`${program}: error: ${UNREACHABLE}`);
  const option = (name: string) => args[args.indexOf(name) + 1] ?? '';
  const jobs = [...cluster.jobs.values()];
  switch (program) {
    case 'squeue': {
      if (args.includes('-u'))
        return yes(
          rows(
            format,
            jobs.filter(({ uid }) => String(uid) === option('-u')),
          ),
        );
      if (args.includes('-w'))
        return yes(
          rows(
            option('-O'),
            jobs.filter(({ node }) => node === option('-w')),
          ),
        );
      const job = cluster.jobs.get(Number(option('-j')));
      return job === undefined ? no(UNKNOWN) : yes(rows(format, [job]));
    }
    case 'sinfo': {
      const wanted = args.includes('-n') ? [option('-n')] : [...cluster.nodes.keys()];
      return yes(wanted.map((name) => nodeRow(cluster, option('-O'), name)).join(''));
    }
    case 'scontrol':
      return args[0] === 'update' ? update(cluster, args.slice(1)) : yes(config(spoolDir));
    case 'scancel': {
      const job = cluster.jobs.get(Number(args[0]));
      if (job !== undefined) cluster.cancel(job);
      return yes('');
    }
    default:
      return no(`no such program: ${program}`);
  }
}

function update(cluster: SlurmCluster, settings: readonly string[]): SlurmAnswer {
  const { nodename, state, reason, jobid, requeue } = Object.fromEntries(
    settings.map((setting) => setting.split(/=(.*)/s)),
  );
  if (nodename !== undefined) return updateNode(cluster, nodename, { state, reason });
  const job = cluster.jobs.get(Number(jobid));
  if (job === undefined) return no('slurm_update error: Invalid job id specified');
  if (job.state === 'CANCELLED' || job.state === 'COMPLETING')
    return no('slurm_update error: Job/step already completing or completed');
  job.requeue = requeue === '1';
  return yes('');
}

function updateNode(
  { nodes, drains }: SlurmCluster,
  name: string,
  { state = '', reason }: { state: string | undefined; reason: string | undefined },
): SlurmAnswer {
  const node = nodes.get(name);
  if (node === undefined) return no('slurm_update error: Invalid node name specified');
  const base = node.state.replace('+drain', '');
  if (state === 'drain' && base === node.state) drains.push(reason ?? '');
  nodes.set(name, { state: state === 'drain' ? `${base}+drain` : base, reason: reason ?? node.reason });
  return yes('');
}

function rows(format: string, jobs: readonly SlurmJob[]): string {
  return jobs.map((job) => row(format, fieldsOf(job))).join('');
}

/** sinfo says nothing of a node that it does not know. */
function nodeRow(cluster: SlurmCluster, format: string, name: string): string {
  const node = cluster.nodes.get(name);
  if (node === undefined) return '';
  return row(format, { NodeList: name, StateComplete: node.state, Reason: node.reason });
}

/** `Field:<suffix>,…`: each value ends with its suffix, each row with a newline. */
function row(format: string, values: Readonly<Record<string, string>>): string {
  const cells = format.split(',').map((field) => {
    const [name = '', suffix = ''] = field.split(':');
    return `${values[name] ?? '(null)'}${suffix}`;
  });
  return `${cells.join('')}\n`;
}

function fieldsOf(job: SlurmJob): Record<string, string> {
  const seconds = (ms: number) => String(Math.floor(ms / 1_000));
  return {
    JobID: String(job.jobId),
    ArrayJobID: String(job.jobId),
    ArrayTaskID: 'N/A',
    HetJobID: 'N/A',
    UserID: String(job.uid),
    State: job.state,
    RestartCnt: String(job.restarts),
    Requeue: job.requeue ? '1' : '0',
    NumCPUs: String(job.cpus),
    StartTime: job.state === 'PENDING' ? 'N/A' : seconds(job.startAt),
    SubmitTime: seconds(job.submitAt),
    NodeList: job.node ?? '',
    BatchHost: job.node ?? 'n/a',
    Partition: 'main',
    QOS: 'normal',
    UserName: `u${job.uid}`,
    Account: '(null)',
    Name: job.name,
  };
}

function config(spoolDir: string): string {
  return [
    'Configuration data as of 2026-08-01T00:00:00',
    'ClusterName             = crash',
    'SLURM_VERSION           = 24.11.5',
    `SlurmdSpoolDir          = ${spoolDir}`,
    'SlurmdTimeout           = 300 sec',
    '',
  ].join('\n');
}

const yes = (text: string): SlurmAnswer => ({ exitCode: 0, text });
const no = (message: string): SlurmAnswer => ({ exitCode: 1, text: `${message}\n` });
