/*
 * From an administrator's `scontrol update … state=drain` to the restore call at the API. ckptd looks at its node
 * every 15 s as it ships; each node is drained twice, half a period apart, so that the drains fall evenly into it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { CkptdLab } from '../cluster/ckptd-lab.ts';
import { type LabNode, until } from '../lab/lab.ts';
import type { Report, Section } from './report.ts';
import { summary } from './statistics.ts';
import { figure } from './table.ts';

const POLL_S = 15;
const NODES = 8;

interface Drained {
  /** From the drain to the daemon's first line about it: the wait for the next look. */
  readonly seenMs: number;
  /** From there to the restore call: guard, final checkpoint and its wait for ready, restore. */
  readonly actedMs: number;
}

export const drain: Section = {
  name: 'drain',
  title: 'from a drain to the restore call',
  async run(report) {
    await using cluster = await CkptdLab.start({
      nodes: NODES,
      timeoutMs: 60_000,
      config: { slurm: { poll_node: `${POLL_S}s` } },
    });
    const { nodes } = cluster.lab;
    const first = await drainAll(cluster, await startJobs(cluster, nodes));
    const jobs = await startJobs(cluster, nodes);
    const period = POLL_S * 1000;
    const phase = (Date.now() - first.at - period / 2) % period;
    await delay(period - phase);
    const second = await drainAll(cluster, jobs);
    tell(report, [...first.drained, ...second.drained], (second.at - first.at) / 1000);
  },
};

interface Job {
  readonly node: LabNode;
  readonly id: number;
}

/** One job on every node, known to its daemon. */
function startJobs(cluster: CkptdLab, nodes: readonly LabNode[]): Promise<Job[]> {
  const { lab } = cluster;
  const start = async (node: LabNode) => {
    const options = [`--nodelist=${node.name}`, '--output=/dev/null'];
    const id = await lab.submit({ script: '#!/bin/sh\nexec sleep 10000\n', options });
    await lab.waitForJob(id, 'RUNNING');
    await cluster.waitUntilWatched(node, id);
    return { node, id };
  };
  return Promise.all(nodes.map(start));
}

/** Drains all nodes at once, waits for the restores, and takes the nodes back into service. */
async function drainAll(cluster: CkptdLab, jobs: readonly Job[]) {
  const { lab } = cluster;
  const names = jobs.map(({ node }) => node.name);
  const at = Date.now();
  await lab.drain(names.join(), 'bench');
  const drained = await Promise.all(jobs.map((job) => restored(cluster, { ...job, at })));
  for (const { node } of jobs) {
    const { name } = node;
    await until(async () => (await lab.nodeState(name)).join() === 'IDLE,DRAIN', {
      what: `the end of ${name}'s job`,
      timeoutMs: 60_000,
      details: () => node.journal('ckptd'),
    });
    await lab.resume(name);
  }
  for (const { node } of jobs) await knownAsBack(cluster, node);
  return { at, drained };
}

/** A job that started before that would be moved at once. */
async function knownAsBack(cluster: CkptdLab, node: LabNode): Promise<void> {
  const known = async () => {
    const { body } = await cluster.ask(node, '/v1/status');
    const { nodes } = body as { nodes: { node: string; away_since: string | null }[] };
    return nodes.some((each) => each.node === node.name && each.away_since === null);
  };
  await until(known, { what: `ckptd to see that ${node.name} is back`, timeoutMs: 60_000, everyMs: 200 });
}

async function restored(cluster: CkptdLab, job: Job & { at: number }): Promise<Drained> {
  const restoreAt = await until(() => restoreOf(cluster, job.id), {
    what: `the restore of job ${job.id} on ${job.node.name}`,
    timeoutMs: 60_000,
  });
  const { body } = await cluster.ask(job.node, `/v1/history?job=${job.id}`);
  const { history } = body as { history: { kind: string; time: string; job_id: number }[] };
  const plan = history.find(({ kind, job_id }) => kind === 'plan-made' && job_id === job.id);
  if (plan === undefined) throw new Error(`job ${job.id} has no plan in its history`);
  const seenAt = Date.parse(plan.time);
  return { seenMs: seenAt - job.at, actedMs: restoreAt - seenAt };
}

/** When the API got the restore call with a checkpoint of this job. */
function restoreOf(cluster: CkptdLab, jobId: number): number | undefined {
  const taken = cluster.requests('checkpoint').filter(({ body }) => body['job_id'] === `${jobId}`);
  const ids = new Set(taken.map(({ answer }) => answer));
  return cluster.requests('restore').find(({ body }) => ids.has(body['action_id'] ?? ''))?.at;
}

function tell(report: Report, drains: readonly Drained[], apartS: number): void {
  const rows: [string, number[]][] = [
    ['drain to restore call', drains.map(({ seenMs, actedMs }) => seenMs + actedMs)],
    ['  of it until the daemon saw it', drains.map(({ seenMs }) => seenMs)],
    ['  of it guard, final checkpoint, restore', drains.map(({ actedMs }) => actedMs)],
  ];
  report.say(
    `poll_node ${POLL_S} s: on average half of it, at worst all of it goes by until the next look. The stand-in's\n` +
      `checkpoints are ready at once. Two rounds, ${figure(apartS)} s apart.`,
  );
  report.table(
    ['', 'drains', 'best s', 'median s', 'worst s'],
    rows.map(([what, ms]) => {
      const s = summary(ms.map((each) => each / 1000));
      return [what, `${s.count}`, ...[s.best, s.median, s.worst].map(figure)];
    }),
  );
  const total = summary(rows[0]![1].map((ms) => ms / 1000));
  report.goal('median', total.median, { atMost: POLL_S }, 's');
  report.goal('worst, beside poll_node and 2 s', total.worst, { atMost: POLL_S + 2 }, 's');
}
