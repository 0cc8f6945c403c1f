import type { LabNode } from './lab-node.ts';
import { until } from './until.ts';

export interface SubmitOptions {
  /** The job's text (begins with `#!`), or the path of a script in the node. */
  script: string;
  /** Arguments of the script. */
  args?: string[];
  /** Options of sbatch, e.g. `['--nodelist=n1']`. */
  options?: string[];
  /** Default `alice`. */
  user?: string;
  /** Default `/shared`: the output of a job is then `/shared/slurm-JOBID.out`. */
  cwd?: string;
  /** Added to the environment of sbatch, which hands it on to the job. */
  env?: Record<string, string>;
  /** Where sbatch runs; default `ctl`. */
  from?: LabNode;
}

let scripts = 0;

/** Slurm as its users and admins see it: its own commands, run on the controller. */
export class Slurm {
  readonly #ctl: LabNode;

  constructor(ctl: LabNode) {
    this.#ctl = ctl;
  }

  /** Submits a batch job; returns its id. Rejects with what sbatch said. */
  async submit(job: SubmitOptions): Promise<number> {
    const { user = 'alice', cwd = '/shared', from = this.#ctl } = job;
    let path = job.script;
    if (job.script.startsWith('#!')) {
      path = `/shared/.scripts/${process.pid}-${++scripts}.sh`;
      await from.writeFile(path, job.script, 0o755);
    }
    const argv = ['sbatch', '--parsable', ...(job.options ?? []), path, ...(job.args ?? [])];
    const said = await from.run(argv, { user, cwd, ...(job.env ? { env: job.env } : {}) });
    return Number.parseInt(said.stdout, 10);
  }

  /** Fields of a job, or of an array's task (`8_1`), as `scontrol show job` names them, e.g. JobState, Restarts. */
  async job(id: number | string): Promise<Record<string, string>> {
    const shown = await this.#ctl.run(['scontrol', '--oneliner', 'show', 'job', `${id}`]);
    // A name or a comment may hold newlines.
    const records = shown.stdout
      .trim()
      .split(/\n(?=JobId=)/)
      .map(fieldsOf);
    // An array goes by the id of one of its tasks, and shows them all.
    return records.find((record) => record['JobId'] === `${id}`) ?? records.at(-1)!;
  }

  /** A job's state, e.g. `RUNNING`. */
  async jobState(id: number | string): Promise<string> {
    return (await this.job(id))['JobState'] ?? '';
  }

  /** Waits until a job is in (one of) the given state(s); default limit 30 s. Returns its fields. */
  async waitForJob(
    id: number | string,
    state: string | string[],
    options: { timeoutMs?: number } = {},
  ): Promise<Record<string, string>> {
    const wanted = [state].flat();
    let last: Record<string, string> = {};
    const reached = async () => {
      last = await this.job(id);
      return wanted.includes(last['JobState'] ?? '');
    };
    await until(reached, {
      what: `job ${id} to be ${wanted.join(' or ')}`,
      timeoutMs: options.timeoutMs ?? 30_000,
      details: () => `job ${id}: ${JSON.stringify(last)}`,
    });
    return last;
  }

  /** A node's base state and flags, e.g. `['IDLE', 'DRAIN']`; by the whole table, since one node's record may be old. */
  async nodeState(node: string): Promise<string[]> {
    const shown = await this.#ctl.run(['sinfo', '-h', '-N', '-O', 'NodeList:|,StateComplete:|']);
    const row = shown.stdout.split('\n').map((line) => line.split('|'));
    return (
      row
        .find(([name]) => name === node)?.[1]
        ?.toUpperCase()
        .split('+') ?? []
    );
  }

  /** Waits until a node's state is exactly this, e.g. `IDLE` or `IDLE+DRAIN`; default limit 30 s. */
  async waitForNode(node: string, state: string, options: { timeoutMs?: number } = {}): Promise<void> {
    const wanted = state.split('+').sort().join('+');
    let last = '';
    const reached = async () => {
      last = (await this.nodeState(node)).sort().join('+');
      return last === wanted;
    };
    await until(reached, {
      what: `node ${node} to be ${state}`,
      timeoutMs: options.timeoutMs ?? 30_000,
      details: () => `node ${node}: ${last}`,
    });
  }

  /** Drains a node, as an admin does. */
  async drain(node: string, reason: string): Promise<void> {
    await this.#ctl.run(['scontrol', 'update', `nodename=${node}`, 'state=drain', `reason=${reason}`]);
  }

  /** Lifts a drain, or takes a node that is DOWN back into service. */
  async resume(node: string): Promise<void> {
    await this.#ctl.run(['scontrol', 'update', `nodename=${node}`, 'state=resume']);
  }
}

function fieldsOf(line: string): Record<string, string> {
  const words = line.split(' ').map((word) => word.split(/=(.*)/s));
  return Object.fromEntries(words.map(([key, value]) => [key, value ?? '']));
}
