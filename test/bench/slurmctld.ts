/*
 * What a steady ckptd costs slurmctld, beside the naive way to watch a node. Both look every second here, 15 times
 * as often as ckptd does as it ships, to gather enough looks in little time; figures are per look, or scaled back.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { CkptdLab } from '../cluster/ckptd-lab.ts';
import type { LabNode } from '../lab/lab.ts';
import { type Load, loadWindow, together } from './load-window.ts';
import { FAR_NODES, fillQueue, MANY_NODES, PENDING_JOBS } from './many-jobs.ts';
import type { Section } from './report.ts';
import { rpcCosts } from './rpc-costs.ts';
import { startSleepers, stopSleepers } from './sleepers.ts';
import { BEAT_S, JOBS, tellLoad } from './slurmctld-report.ts';

const ROUNDS = 2;
const WINDOW_S = 10;

export const slurmctld: Section = {
  name: 'slurmctld',
  title: `load on slurmctld, ${FAR_NODES} further nodes and ${PENDING_JOBS} pending jobs`,
  async run(report) {
    await using cluster = await CkptdLab.start({
      ...MANY_NODES,
      config: {
        slurm: { poll_node: '1s', rescan_jobs: '4s' },
        // The default, 45 times as often: */15, 5m, 2m.
        heartbeat: { schedule: '*/20 * * * * *', splay: '6666ms', min_age: '2666ms' },
      },
    });
    const { ctl, nodes } = cluster.lab;
    await switchDaemons(nodes, 'stop');
    await fillQueue(cluster.lab);
    const prices = await rpcCosts(cluster.lab);
    const { idle, ours, naive } = await alternate(ctl, nodes);

    await startSleepers(cluster.lab, { count: JOBS, memory: 10 });
    const idleWithJobs = await loadWindow(ctl, WINDOW_S);
    await switchDaemons(nodes, 'start');
    await atBeat();
    const beating = await loadWindow(ctl, BEAT_S);
    await stopSleepers(cluster.lab);

    tellLoad(report, { nodes: nodes.length, idle, ours, naive, idleWithJobs, beating, prices });
  },
};

/** Idle, ckptd, naive, and again: what drifts meets all three. */
async function alternate(ctl: LabNode, nodes: readonly LabNode[]) {
  const loads = { idle: [] as Load[], ours: [] as Load[], naive: [] as Load[] };
  for (let round = 0; round < ROUNDS; round++) {
    await delay(1_000);
    loads.idle.push(await loadWindow(ctl, WINDOW_S));
    await switchDaemons(nodes, 'start');
    await delay(2_000);
    loads.ours.push(await loadWindow(ctl, WINDOW_S));
    await switchDaemons(nodes, 'stop');
    const naive = nodes.map((node) => watchNaively(node, WINDOW_S + 4));
    await delay(1_500);
    loads.naive.push(await loadWindow(ctl, WINDOW_S));
    await Promise.all(naive);
  }
  return { idle: together(loads.idle), ours: together(loads.ours), naive: together(loads.naive) };
}

async function switchDaemons(nodes: readonly LabNode[], to: 'start' | 'stop'): Promise<void> {
  await Promise.all(nodes.map((node) => node.run(['systemctl', to, 'ckptd'])));
}

function watchNaively(node: LabNode, seconds: number): Promise<unknown> {
  const look = `squeue -w ${node.name}; scontrol show node ${node.name}`;
  const loop = `while :; do (${look}) >/dev/null; sleep 1; done`;
  return node.run(loop, { timeoutMs: seconds * 1000, reject: false });
}

/** Right before the heartbeats of jobs that are known by then. */
async function atBeat(): Promise<void> {
  const settledAt = Date.now() + 12_000;
  const at = Math.ceil(settledAt / (BEAT_S * 1000)) * BEAT_S * 1000;
  await delay(at - Date.now() - 300);
}
