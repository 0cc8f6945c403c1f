import { parse, stringify } from 'yaml';
import { type LabNode, until } from '../lab/lab.ts';
import { Ec2Metadata } from '../support/metadata/ec2.ts';
import { CkptdLab, COUNT } from './ckptd-lab.ts';

const CONFIG = '/etc/ckptd/ckptd.yaml';
export const NOTICE_FILE = '/run/ckptd/terminate';

export interface NoticeView {
  readonly id: string;
  readonly source: string;
  readonly deadline: string | null;
}

export interface HistoryLine {
  readonly time: string;
  readonly job_id: number | null;
  readonly kind: string;
  readonly message: string;
  readonly details: Record<string, unknown>;
}

/**
 * A cluster whose first node is an EC2 instance, as far as it can tell: its metadata service listens on the bridge of
 * the cluster, which leads nowhere else. Both nodes listen to their file and to their own logind.
 */
export class NoticesLab implements AsyncDisposable {
  readonly ckptd: CkptdLab;
  readonly ec2: Ec2Metadata;
  readonly #resources: AsyncDisposableStack;

  private constructor(ckptd: CkptdLab, ec2: Ec2Metadata, resources: AsyncDisposableStack) {
    this.ckptd = ckptd;
    this.ec2 = ec2;
    this.#resources = resources;
  }

  static async start(): Promise<NoticesLab> {
    await using resources = new AsyncDisposableStack();
    const ckptd = resources.use(
      await CkptdLab.start({
        nodes: 2,
        nodeConf: 'CPUs=20 RealMemory=20000',
        files: { '/etc/systemd/system/ckptd.service.d/lab.conf': '[Service]\nRestartSec=200ms\n' },
        config: { notices: { providers: ['file', 'logind'] } },
      }),
    );
    const ec2 = resources.use(await new Ec2Metadata().listen(0, ckptd.lab.hostAddress));
    const lab = new NoticesLab(ckptd, ec2, resources.move());
    // A node that boots has its daemon.
    for (const node of ckptd.lab.nodes) await node.run(['systemctl', 'enable', 'ckptd']);
    const endpoint = { endpoint: ec2.url };
    await lab.configure(lab.n1, { notices: { providers: ['ec2', 'file', 'logind'], ec2: endpoint } });
    await ec2.reaches(1, 'spot');
    return lab;
  }

  get n1(): LabNode {
    return this.ckptd.lab.node('n1');
  }

  get n2(): LabNode {
    return this.ckptd.lab.node('n2');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#resources.disposeAsync();
  }

  /** Changes keys of ckptd.yaml's blocks, and has the daemon load it. */
  async configure(node: LabNode, blocks: Record<string, object>): Promise<void> {
    const config = parse(await node.readFile(CONFIG)) as Record<string, object>;
    for (const [block, keys] of Object.entries(blocks)) config[block] = { ...config[block], ...keys };
    await node.writeFile(CONFIG, stringify(config));
    const loads = async () =>
      (await node.journal('ckptd')).split('the configuration was loaded again').length;
    const before = await loads();
    await node.run(['systemctl', 'reload', 'ckptd']);
    await until(async () => (await loads()) > before, {
      what: `ckptd on ${node.name} to load its configuration`,
      details: () => node.journal('ckptd'),
    });
  }

  /** A job that runs, and is watched by the daemon of its batch host. */
  async runningOn(node: LabNode, ...options: string[]): Promise<number> {
    const { lab } = this.ckptd;
    const where = options.some((option) => option.startsWith('--nodes')) ? [] : ['-w', node.name];
    const id = await lab.submit({ script: COUNT, options: ['--mem=100', ...where, ...options] });
    await lab.waitForJob(id, 'RUNNING');
    await this.ckptd.waitUntilWatched(node, id);
    return id;
  }

  async jobsOf(
    node: LabNode,
  ): Promise<{ job_id: number; state: string; plan: object | null; ready: object | null }[]> {
    return ((await this.ckptd.ask(node, '/v1/jobs')).body as { jobs: never[] }).jobs;
  }

  /** Whether so many jobs of the node have a checkpoint that can be restored from. */
  async areReady(node: LabNode, jobs: number): Promise<boolean> {
    return (await this.jobsOf(node)).filter(({ ready }) => ready !== null).length === jobs;
  }

  async noticesOf(node: LabNode): Promise<NoticeView[]> {
    return ((await this.ckptd.ask(node, '/v1/notices')).body as { notices: NoticeView[] }).notices;
  }

  async history(node: LabNode): Promise<HistoryLine[]> {
    return ((await this.ckptd.ask(node, '/v1/history?limit=200')).body as { history: HistoryLine[] }).history;
  }

  /** Why a node is drained, without who set it and when. */
  async drainReason(node: LabNode): Promise<string> {
    const { stdout } = await this.ckptd.lab.ctl.run(['sinfo', '-h', '-n', node.name, '-o', '%200E']);
    return stdout.trim();
  }

  /** The job that a restore was for: the one whose checkpoint it names. */
  jobOf(actionId: string | undefined): number | undefined {
    const taken = this.ckptd.requests('checkpoint').find(({ answer }) => answer === actionId);
    return taken && Number(taken.body['job_id']);
  }

  /** The restores that the API carried out, in the order in which they came. */
  restores(): { at: number; jobId: number | undefined; reason: string | undefined }[] {
    return this.ckptd.api.entries
      .filter(({ route, acted }) => route === 'restore' && acted)
      .map(({ at, body }) => {
        const { action_id, reason } = JSON.parse(body) as Record<string, string>;
        return { at: Date.parse(at), jobId: this.jobOf(action_id), reason };
      });
  }

  /** Waits until each of the jobs was restored and its old run ended. */
  async restored(jobs: readonly number[], timeoutMs = 30_000): Promise<void> {
    const { lab } = this.ckptd;
    for (const id of jobs) {
      await until(async () => (await lab.jobState(id)) === 'CANCELLED', {
        what: `the restore of job ${id} of ${jobs.join()}`,
        timeoutMs,
        details: async () =>
          JSON.stringify([this.restores(), await this.jobsOf(this.n1), this.ckptd.api.entries.slice(-6)]),
      });
    }
  }

  async waitForDrain(node: LabNode): Promise<void> {
    await until(async () => (await this.ckptd.lab.nodeState(node.name)).includes('DRAIN'), {
      what: `${node.name} to be drained`,
      details: () => node.journal('ckptd'),
    });
  }

  /** Waits until nothing is left of the drain. */
  async waitForLift(node: LabNode, timeoutMs = 20_000): Promise<void> {
    await until(async () => !(await this.ckptd.lab.nodeState(node.name)).includes('DRAIN'), {
      what: `the drain of ${node.name} to be lifted`,
      timeoutMs,
      details: () => node.journal('ckptd'),
    });
  }

  /** Nobody says anything, no job runs, no node is drained, and the daemons know it. */
  async calm(): Promise<void> {
    const { lab, api } = this.ckptd;
    this.ec2.values.clear();
    for (const script of Object.values(api.scripts)) Object.assign(script, { latencyMs: 0, faults: [] });
    api.service.behaviour.onRestore = () => {};
    await lab.ctl.run('scancel --user=alice');
    for (const node of lab.nodes) {
      await node.run(['rm', '-f', NOTICE_FILE]);
      for (const { id, source } of await this.noticesOf(node))
        if (source === 'socket') await this.ckptd.ask(node, `/v1/notices/${id}`, 'DELETE');
    }
    for (const node of lab.nodes) {
      await until(
        async () => (await this.noticesOf(node)).length === 0 && (await this.jobsOf(node)).length === 0,
        {
          what: `${node.name} to be calm`,
          timeoutMs: 30_000,
          details: async () => JSON.stringify([await this.noticesOf(node), await this.jobsOf(node)]),
        },
      );
      await this.waitForLift(node);
      await lab.waitForNode(node.name, 'IDLE');
    }
    api.entries.length = 0;
  }
}
