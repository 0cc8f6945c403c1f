/*
 * What a steady ckptd costs slurmctld, beside the naive way to watch a node. Both look every second here, 15 times
 * as often as ckptd does as it ships, to gather enough looks in little time; figures are per look, or scaled back.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { CkptdLab } from '../cluster/ckptd-lab.ts';
import type { LabNode } from '../lab/lab.ts';
import { CROWD, FAR_NODES, fillQueue, PENDING_JOBS } from './crowd.ts';
import { beyondIdle, countOf, type Load, loadWindow, together } from './load-window.ts';
import { priceList } from './price-list.ts';
import type { Report, Section } from './report.ts';
import { FULL_TABLES } from './rpc-counts.ts';
import { startSleepers, stopSleepers } from './sleepers.ts';
import { figure } from './table.ts';

/** As it ships: every 15 s. */
const FASTER = 15;
const ROUNDS = 3;
const WINDOW_S = 8;
const JOBS = 100;
/** The heartbeats' period here, instead of 15 minutes. */
const BEAT_S = 20;

export const slurmctld: Section = {
  name: 'slurmctld',
  title: `load on slurmctld, ${FAR_NODES} further nodes and ${PENDING_JOBS} pending jobs`,
  async run(report) {
    await using cluster = await CkptdLab.start({
      ...CROWD,
      config: {
        slurm: { poll_node: '1s', rescan_jobs: '4s' },
        // The default, 45 times as often: */15, 5m, 2m.
        heartbeat: { schedule: '*/20 * * * * *', splay: '6666ms', min_age: '2666ms' },
      },
    });
    const { ctl, nodes } = cluster.lab;
    await switchDaemons(nodes, 'stop');
    await fillQueue(cluster.lab);
    const prices = await priceList(cluster.lab);
    const { idle, ours, naive } = await alternate(ctl, nodes);

    await startSleepers(cluster.lab, { count: JOBS, memory: 10 });
    const idleWithJobs = await loadWindow(ctl, WINDOW_S);
    await switchDaemons(nodes, 'start');
    await atBeat();
    const beating = await loadWindow(ctl, 2 * BEAT_S);
    await stopSleepers(cluster.lab);

    tell(report, { nodes: nodes.length, idle, ours, naive, idleWithJobs, beating, prices });
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

interface Found {
  readonly nodes: number;
  readonly idle: Load;
  readonly ours: Load;
  readonly naive: Load;
  readonly idleWithJobs: Load;
  readonly beating: Load;
  readonly prices: readonly (readonly [what: string, cpuMs: number, handlerMs: number, rpcs: string])[];
}

function tell(report: Report, { nodes, idle, ours, naive, idleWithJobs, beating, prices }: Found): void {
  const looks = { ours: countOf(ours, 'NODE_INFO_SINGLE'), naive: countOf(naive, 'JOB_INFO') };
  const perLook = { ours: beyondIdle(ours, idle) / looks.ours, naive: beyondIdle(naive, idle) / looks.naive };
  const handler = { ours: handlerMs(ours) / looks.ours, naive: handlerMs(naive) / looks.naive };
  report.say(
    `Both looked once a second on each of ${nodes} nodes, ${FASTER} times as often as ckptd as it ships;\n` +
      `${looks.ours} and ${looks.naive} looks. Idle, slurmctld used ${figure(idle.cpuMs / idle.seconds)} ms of CPU a second (taken off).`,
  );
  const perMinute = 60 / FASTER;
  const rpcsPerLook = { ours: total(ours) / looks.ours, naive: total(naive) / looks.naive };
  const row = (what: string, rpcs: number, cpu: number, inHandler: number) => [
    what,
    figure(rpcs * perMinute),
    figure(cpu),
    figure(inHandler),
    figure(((cpu * perMinute * FAR_NODES) / 60_000) * 100),
  ];
  report.table(
    ['every 15 s', 'RPCs/min/node', 'CPU ms/look', 'handler ms/look', '% of a core, 1,000 nodes'],
    [
      row('ckptd', rpcsPerLook.ours, perLook.ours, handler.ours),
      row('squeue -w + scontrol show node', rpcsPerLook.naive, perLook.naive, handler.naive),
    ],
  );
  report.say(`  ckptd's RPCs: ${types(ours)}\n  naive RPCs:   ${types(naive)}`);

  const beats = countOf(beating, 'JOB_INFO_SINGLE');
  const polls = countOf(beating, 'NODE_INFO_SINGLE');
  const beatMs = (beyondIdle(beating, idleWithJobs) - polls * perLook.ours) / beats;
  const shipped = beatMs * (JOBS / (15 * 60));
  report.say(
    `
  ${JOBS} running jobs with heartbeats every ${BEAT_S} s instead of 15 min, for ${2 * BEAT_S} s: ${types(beating)}.
` +
      `  ${figure(beatMs)} ms of CPU for each of ${beats} looks at a job, one before every heartbeat: as it ships
` +
      `  ${figure((2 * JOBS) / 15)} RPCs a minute and ${figure(shipped)} ms of CPU a second for ${JOBS} jobs, on however many nodes.`,
  );
  report.table(
    ['what one command costs slurmctld', 'CPU ms', 'handler ms', 'RPCs'],
    prices.map(([what, cpu, ms, rpcs]) => [what, figure(cpu), figure(ms), rpcs]),
  );
  report.goal(
    'full-table RPCs in steady state',
    fullTables(ours) + fullTables(beating),
    { atMost: 0 },
    'RPCs',
  );
  report.goal(
    'less slurmctld CPU than the naive way',
    perLook.naive / perLook.ours,
    { atLeast: 30 },
    'times',
  );
  report.goal(
    "less of slurmctld's handlers' time (sdiag)",
    handler.naive / handler.ours,
    { atLeast: 30 },
    'times',
  );
}

const handlerMs = ({ rpcs }: Load): number => sum([...rpcs.values()].map(({ micros }) => micros)) / 1000;
const total = ({ rpcs }: Load): number =>
  sum([...rpcs].map(([type, { count }]) => (isSlurmds(type) ? 0 : count)));
const fullTables = (load: Load): number => sum(FULL_TABLES.map((type) => countOf(load, type)));
const types = ({ rpcs }: Load): string => [...rpcs].map(([type, { count }]) => `${type} ${count}`).join(', ');
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const isSlurmds = (type: string): boolean => type.startsWith('MESSAGE_');
