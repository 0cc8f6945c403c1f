import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { Lab, type LabNode, type LabOptions, until } from '../lab/lab.ts';
import type { Entry } from '../support/cedana/entry.ts';
import { StandIn } from '../support/cedana/stand-in.ts';
import { ask } from './ask.ts';
import { installed } from './stage.ts';

export const CLUSTER_ID = '0b7e1d3c-5a52-4c54-9c1e-3d0d6e3f2a10';

export interface CkptdLabOptions extends LabOptions {
  /** Blocks of ckptd.yaml, over what a test wants by default: quick polls, no splay, Cedana's kind of restore. */
  config?: Record<string, unknown>;
  /** Whether slurm.conf runs the hooks; default true. */
  hooks?: boolean;
  /** Called for each request to the API, when its exchange has ended. */
  onEntry?: (entry: Entry) => void;
}

const DEFAULTS: Record<string, unknown> = {
  cluster_id: CLUSTER_ID,
  api: { url: 'unix:/shared/api.sock', timeout: '5s' },
  slurm: { poll_node: '2s', rescan_jobs: '2s' },
  heartbeat: { every: '10m', splay: '0s', min_age: '0s' },
  restore: { source_job: 'cancel' },
};

/**
 * A Slurm cluster whose compute nodes run the installed ckptd under systemd, with its unit as it ships, against the
 * strict stand-in of the API in this process.
 */
export class CkptdLab implements AsyncDisposable {
  readonly lab: Lab;
  readonly api: StandIn;
  readonly #resources: AsyncDisposableStack;

  private constructor(lab: Lab, api: StandIn, resources: AsyncDisposableStack) {
    this.lab = lab;
    this.api = api;
    this.#resources = resources;
  }

  /** Resolves when ckptd is up on every compute node. */
  static async start(options: CkptdLabOptions = {}): Promise<CkptdLab> {
    await using resources = new AsyncDisposableStack();
    const { stage } = await installed(resources);
    const hooks = options.hooks ?? true;
    const lab = resources.use(
      await Lab.start({
        ...options,
        slurmConf: `${hooks ? HOOKS : ''}${options.slurmConf ?? ''}`,
        files: {
          '/etc/ckptd/ckptd.yaml': stringify({ ...DEFAULTS, ...options.config }),
          '/usr/lib/systemd/system/ckptd.service': await readFile(
            join(stage, 'usr/lib/systemd/system/ckptd.service'),
            'utf8',
          ),
          ...options.files,
        },
        binds: [
          { from: join(stage, 'usr/lib/ckptd'), to: '/usr/lib/ckptd', readOnly: true },
          ...(options.binds ?? []),
        ],
      }),
    );
    const listen = { path: join(lab.shared, 'api.sock') };
    const api = resources.use(
      new StandIn(options.onEntry ? { listen, onEntry: options.onEntry } : { listen }),
    );
    await api.listen();
    await Promise.all(lab.nodes.map((node) => startDaemon(node)));
    return new CkptdLab(lab, api, resources.move());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#resources.disposeAsync();
  }

  /** The requests of one route that the API carried out, oldest first. */
  requests(
    route: 'checkpoint' | 'restore',
  ): { at: number; body: Record<string, string>; answer: string | null }[] {
    return (
      this.api.entries
        // A connection that was reset brought no body.
        .filter((entry) => entry.route === route && entry.body !== '')
        .map((entry) => ({
          at: Date.parse(entry.at),
          body: JSON.parse(entry.body),
          answer: entry.answer?.body.replaceAll('"', '') ?? null,
        }))
    );
  }

  /** Waits until the API has seen so many requests of a route. */
  async waitForRequests(route: 'checkpoint' | 'restore', count: number, timeoutMs = 20_000): Promise<void> {
    await until(() => this.requests(route).length >= count, {
      what: `${count} ${route} requests`,
      timeoutMs,
      details: async () => JSON.stringify(this.api.entries.slice(-5), null, 1),
    });
  }

  /** What ckptd on that node answers on its socket. */
  async ask(
    node: LabNode,
    path: string,
    method = 'GET',
    body?: object,
  ): Promise<{ status: number; body: never }> {
    return askDaemon(node, path, method, body);
  }

  /** Waits until ckptd on the node knows the job as running. */
  waitUntilWatched(node: LabNode, jobId: number): Promise<void> {
    return waitUntilWatched(node, jobId);
  }
}

/** What ckptd on that node answers on its socket. */
export async function askDaemon(
  node: LabNode,
  path: string,
  method = 'GET',
  body?: object,
): Promise<{ status: number; body: never }> {
  const socket = '/run/ckptd/ckptd.sock';
  const { status, text } = await ask(node, { socket, path, method, ...(body === undefined ? {} : { body }) });
  return { status, body: JSON.parse(text) as never };
}

/** Waits until ckptd on the node knows the job as running. */
export async function waitUntilWatched(node: LabNode, jobId: number): Promise<void> {
  await until(
    async () => {
      const { body } = await askDaemon(node, '/v1/jobs');
      const { jobs } = body as { jobs: { job_id: number; state: string }[] };
      return jobs.some((job) => job.job_id === jobId && job.state === 'RUNNING');
    },
    { what: `ckptd on ${node.name} to watch job ${jobId}`, details: () => node.journal('ckptd') },
  );
}

const HOOKS = 'Prolog=/usr/lib/ckptd/hooks/prolog\nEpilog=/usr/lib/ckptd/hooks/epilog\n';

/** Starts ckptd, or another unit, and returns when systemd has its READY. */
export async function startDaemon(node: LabNode, unit = 'ckptd'): Promise<void> {
  const { exitCode } = await node.run(['systemctl', 'start', unit], { reject: false });
  if (exitCode !== 0) throw new Error(`${unit} does not start on ${node.name}:\n${await node.journal(unit)}`);
}

/** A job that counts into its output, once a tenth of a second. */
export const COUNT = `#!/bin/sh
i=0
while :; do i=$((i+1)); echo "i=$i"; sleep 0.1; done
`;
