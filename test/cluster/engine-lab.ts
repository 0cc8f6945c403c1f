import { chmod, cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { RestoreReason } from '../../daemon/vocabulary/job.ts';
import { type FileSpec, Lab, LabError, type LabNode, type LabOptions, until } from '../lab/lab.ts';
import { cgroupConf } from '../lab/slurm-conf.ts';
import { type Answer, ask } from './ask.ts';
import { askDaemon, CLUSTER_ID, startDaemon, waitUntilWatched } from './ckptd-lab.ts';
import { type Counted, counted } from './output.ts';
import { installed } from './stage.ts';

/** The programs of test/jobs. */
export type Program =
  | 'count.sh'
  | 'trap.sh'
  | 'heap.py'
  | 'processes.py'
  | 'threads'
  | 'grow.py'
  | (string & {});

export interface EngineLabOptions extends LabOptions {
  /** Blocks of ckptd.yaml, over a heartbeat every 10 s and quick looks. */
  config?: Record<string, unknown>;
  /** Keys of engine.yaml, over cluster_id and dir. */
  engine?: Record<string, unknown>;
}

export interface JobOptions {
  /** Options of sbatch. */
  options?: readonly string[];
  env?: Record<string, string>;
  user?: string;
}

export const ENGINE_SOCKET = '/run/ckptd-engine/api.sock';
/** Where the engines keep checkpoints, in the nodes. */
export const STORE = '/shared/ckpt';

/**
 * A requeued job truncates its output, which is Slurm's own default. Before a job has its output slurmstepd, and so
 * the plugin, can say nothing but in slurmd's log.
 */
const SLURM_CONF = 'JobFileAppend=0\nSlurmdLogFile=/var/log/slurm/slurmd.log\n';
/** Memory limits on, as on a real cluster. */
const CGROUP_CONF = (text: string) => text.replace('ConstrainRAMSpace=no', 'ConstrainRAMSpace=yes');

/**
 * A Slurm cluster whose compute nodes run ckptd and ckptd-engine under systemd, with their units as they ship, and
 * the SPANK plugin, which also runs the hooks: slurm.conf knows nothing of ckptd.
 */
export class EngineLab implements AsyncDisposable {
  readonly lab: Lab;
  readonly #resources: AsyncDisposableStack;

  private constructor(lab: Lab, resources: AsyncDisposableStack) {
    this.lab = lab;
    this.#resources = resources;
  }

  /** Resolves when both programs are up on every compute node. */
  static async start(options: EngineLabOptions = {}): Promise<EngineLab> {
    await using resources = new AsyncDisposableStack();
    const { stage, jobs } = await installed(resources);
    const lab = resources.use(
      await Lab.start({
        nodeConf: 'CPUs=16 RealMemory=16000',
        ...options,
        slurmConf: `${SLURM_CONF}${options.slurmConf ?? ''}`,
        files: { ...(await installedFiles(stage, options)), ...options.files },
        binds: [
          { from: join(stage, 'usr/lib/ckptd'), to: '/usr/lib/ckptd', readOnly: true },
          ...(options.binds ?? []),
        ],
      }),
    );
    await mkdir(join(lab.shared, 'ckpt'), { mode: 0o700 });
    await cp(jobs, join(lab.shared, 'jobs'), { recursive: true });
    for (const program of ['', ...(await readdir(jobs))])
      await chmod(join(lab.shared, 'jobs', program), 0o755);
    await Promise.all(lab.nodes.map((node) => startBoth(node)));
    return new EngineLab(lab, resources.move());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#resources.disposeAsync();
  }

  /** Submits a job that runs a program of test/jobs, or a script, and that writes to `/shared/out-JOBID`. */
  submit(program: Program, { options = [], env = {}, user = 'alice' }: JobOptions = {}): Promise<number> {
    const script = program.startsWith('#!') ? program : `#!/bin/bash\nexec /shared/jobs/${program}\n`;
    const usual = ['--output=/shared/out-%j', '--mem=100'];
    return this.lab.submit({ script, options: [...usual, ...options], env, user });
  }

  /**
   * The same, and waits until it counts and its node's ckptd watches it. Slurm takes the first node that has room;
   * `--nodelist` would bind the job to that node for ever.
   */
  async running(program: Program, job: JobOptions = {}): Promise<number> {
    const id = await this.submit(program, job);
    await this.counting(id);
    return id;
  }

  /** Waits until a job counts and its node's ckptd watches it; returns that node. */
  async counting(id: number): Promise<LabNode> {
    const { BatchHost: name = '' } = await this.lab.waitForJob(id, 'RUNNING');
    const node = this.lab.node(name);
    await waitUntilWatched(node, id);
    await this.counts(id);
    return node;
  }

  /** What the job has written. */
  async output(id: number | string): Promise<string> {
    return readFile(join(this.lab.shared, `out-${id}`), 'utf8').catch(() => '');
  }

  /** The job's output, read number by number. */
  async counted(id: number | string, expected?: readonly string[]): Promise<Counted> {
    return counted(await this.output(id), expected);
  }

  /** Waits until the job has counted `more` numbers beyond `from`, by default beyond what it has written now. */
  async counts(id: number | string, more = 3, timeoutMs = 30_000, from?: number): Promise<void> {
    const least = (from ?? (await this.counted(id)).count) + more;
    await until(async () => (await this.counted(id)).count >= least, {
      what: `job ${id} to count to ${least}`,
      timeoutMs,
      details: async () => `${(await this.output(id)).slice(-500)}\n${await this.told()}`,
    });
  }

  /** Lets a job end by itself, as its program does, and waits for the state that it ends in. */
  async finish(id: number, state = 'COMPLETED'): Promise<Record<string, string>> {
    await writeFile(join(this.lab.shared, `finish-${id}`), '');
    return this.lab.waitForJob(id, state);
  }

  /**
   * Waits until the job runs elsewhere than on `from`, with one more restart, and has counted beyond all that was
   * ever seen of it: its output is aside for a moment while it comes back. Resolves to how far it came on `from`.
   */
  async moved(id: number, from: string, restarts: number, timeoutMs = 60_000): Promise<number> {
    let job: Record<string, string> = {};
    let furthest = 0;
    await until(
      async () => {
        furthest = Math.max(furthest, (await this.counted(id)).count);
        job = await this.lab.job(id);
        const away = job['NodeList'] !== from && job['NodeList'] !== '(null)';
        return job['JobState'] === 'RUNNING' && job['Restarts'] === `${restarts}` && away;
      },
      {
        what: `job ${id} to run elsewhere than on ${from}, restarted ${restarts} times`,
        timeoutMs,
        details: async () => `${JSON.stringify(job)}\n${await this.told()}`,
      },
    );
    await this.counts(id, 3, timeoutMs, furthest);
    return furthest;
  }

  /** Drains a node, waits until those jobs count on elsewhere, and takes the node back into service. */
  async moveAway(from: LabNode, ids: readonly number[]): Promise<void> {
    const restarts = new Map<number, number>();
    for (const id of ids) restarts.set(id, Number((await this.lab.job(id))['Restarts']));
    await this.lab.drain(from.name, 'broken fan');
    await Promise.all([...restarts].map(([id, before]) => this.moved(id, from.name, before + 1)));
    await this.lab.resume(from.name);
    for (const node of this.lab.nodes) await this.knowsNoDrain(node, from.name);
  }

  /** What the engine on that node answers on its socket. */
  engine(node: LabNode, path: string, method = 'GET', body?: object): Promise<Answer> {
    return ask(node, { socket: ENGINE_SOCKET, path, method, ...(body === undefined ? {} : { body }) });
  }

  /** Asks the engine on that node for a checkpoint of the job, and waits until it is ready; returns its id. */
  async checkpoint(node: LabNode, id: number): Promise<string> {
    const { status, text } = await this.askCheckpoint(node, id);
    if (status !== 200) throw new LabError(`no checkpoint of job ${id}: ${status} ${text}`);
    await until(async () => (await this.ready(node, id)).includes(text), {
      what: `checkpoint ${text} of job ${id}`,
      timeoutMs: 60_000,
      details: () => this.told(),
    });
    return text;
  }

  askCheckpoint(node: LabNode, id: number): Promise<Answer> {
    const body = { job_id: `${id}`, kind: 'simple', reason: 'manual' };
    return this.engine(node, '/v2/slurm/checkpoint/job', 'POST', body);
  }

  askRestore(
    node: LabNode,
    actionId: string,
    fields: { cluster_id?: string; reason?: RestoreReason } = {},
  ): Promise<Answer> {
    const body = { action_id: actionId, cluster_id: CLUSTER_ID, reason: 'manual', ...fields };
    return this.engine(node, '/v2/slurm/restore/job', 'POST', body);
  }

  /** The ready checkpoints of a job, oldest first, as the engine of a node tells them. */
  async ready(node: LabNode, id: number): Promise<string[]> {
    const folder = `${STORE}/${CLUSTER_ID}/${id}`;
    const { stdout } = await node.run(`cd ${folder} 2>/dev/null && ls -tr -d */manifest.json`, {
      reject: false,
    });
    return stdout
      .split('\n')
      .filter(Boolean)
      .map((path) => path.split('/')[0]!);
  }

  /** Waits for a ready checkpoint of the job beside those in `before`; returns its id. */
  async newCheckpoint(
    node: LabNode,
    id: number,
    before: readonly string[] = [],
    timeoutMs = 40_000,
  ): Promise<string> {
    return until(async () => (await this.ready(node, id)).find((each) => !before.includes(each)), {
      what: `a checkpoint of job ${id}`,
      timeoutMs,
      details: () => this.told(),
    });
  }

  /** Ends all jobs and lifts all drains. */
  async clear(): Promise<void> {
    const { lab } = this;
    // A job that traps SIGTERM is waited for otherwise.
    for (const user of ['alice', 'bob'])
      await lab.ctl.run(
        `scancel --quiet --user=${user}; scancel --quiet --full --signal=KILL --user=${user}`,
        {
          reject: false,
        },
      );
    for (const { name } of lab.nodes)
      if ((await lab.nodeState(name)).includes('DRAIN')) await lab.resume(name);
    await until(async () => (await lab.ctl.run('squeue -h')).stdout === '', {
      what: 'the cluster to be empty',
      timeoutMs: 40_000,
      details: async () => (await lab.ctl.run('squeue; scontrol show job')).stdout,
    });
    for (const node of lab.nodes) {
      await until(
        async () => JSON.stringify((await askDaemon(node, '/v1/jobs')).body).includes('"jobs":[]'),
        {
          what: `ckptd on ${node.name} to have forgotten the jobs of the last test`,
          // A heartbeat that fell due as its job ended is asked for again for 40 s: a 404 may mean "not yet".
          timeoutMs: 60_000,
          details: async () => JSON.stringify((await askDaemon(node, '/v1/jobs')).body),
        },
      );
      await this.knowsNoDrain(node, node.name);
    }
  }

  /** What a program said on that node; `slurmd` with its slurmstepds, and the plugin in them. */
  async log(node: LabNode, unit: string): Promise<string> {
    if (unit === 'slurmd') return node.readFile('/var/log/slurm/slurmd.log');
    return node.journal(unit);
  }

  /** The last words of both programs on all nodes, for the error of a wait that was in vain. */
  async told(): Promise<string> {
    const tails = this.lab.nodes.map(async (node) => {
      if (!node.running) return `${node.name} is off`;
      const units = ['ckptd', 'ckptd-engine', 'slurmd'].map(async (unit) => {
        const lines = (await this.log(node, unit)).trimEnd().split('\n').slice(-12);
        return `--- ${unit} on ${node.name}\n${lines.join('\n')}`;
      });
      return (await Promise.all(units)).join('\n');
    });
    return (await Promise.all(tails)).join('\n');
  }

  private async knowsNoDrain(node: LabNode, drained: string): Promise<void> {
    if (!node.running) return;
    const known = async () => {
      const { body } = await askDaemon(node, '/v1/status');
      const { nodes } = body as { nodes: { node: string; away_since: string | null }[] };
      return nodes.every((each) => each.node !== drained || each.away_since === null);
    };
    await until(known, { what: `ckptd on ${node.name} to see that ${drained} is back`, timeoutMs: 30_000 });
  }
}

/** Starts the engine, then ckptd; returns when systemd has READY of both. */
export async function startBoth(node: LabNode): Promise<void> {
  await startDaemon(node, 'ckptd-engine');
  await startDaemon(node, 'ckptd');
}

async function installedFiles(stage: string, options: EngineLabOptions): Promise<Record<string, FileSpec>> {
  const units = 'usr/lib/systemd/system';
  const unit = async (name: string) => [
    `/${units}/${name}`,
    await readFile(join(stage, units, name), 'utf8'),
  ];
  return {
    ...Object.fromEntries(await Promise.all(['ckptd.service', 'ckptd-engine.service'].map(unit))),
    '/etc/ckptd/ckptd.yaml': stringify({
      cluster_id: CLUSTER_ID,
      api: { url: `unix:${ENGINE_SOCKET}`, timeout: '30s' },
      slurm: { poll_node: '2s', rescan_jobs: '2s' },
      heartbeat: { every: '10s', splay: '0s', min_age: '0s', concurrency: 8 },
      ...options.config,
    }),
    '/etc/ckptd/engine.yaml': stringify({ cluster_id: CLUSTER_ID, dir: STORE, ...options.engine }),
    '/etc/slurm/plugstack.conf': `optional /usr/lib/ckptd/ckptd_spank.so socket=${ENGINE_SOCKET} hooks=/usr/lib/ckptd/hooks\n`,
    '/etc/slurm/cgroup.conf': CGROUP_CONF(cgroupConf()),
  };
}
