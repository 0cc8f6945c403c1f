import { beyondIdle, countOf, type Load } from './load-window.ts';
import { FAR_NODES } from './many-jobs.ts';
import type { Report } from './report.ts';
import { FULL_TABLES } from './rpc-counts.ts';
import { figure } from './table.ts';

/** So much more often than as it ships, every 15 s, both sides look. */
export const FASTER = 15;
export const JOBS = 100;
/** The heartbeats' period, instead of 15 minutes. */
export const BEAT_S = 20;

export interface Found {
  readonly nodes: number;
  readonly idle: Load;
  readonly ours: Load;
  readonly naive: Load;
  readonly idleWithJobs: Load;
  readonly beating: Load;
  readonly prices: readonly (readonly [what: string, cpuMs: number, handlerMs: number, rpcs: string])[];
}

export function tellLoad(
  report: Report,
  { nodes, idle, ours, naive, idleWithJobs, beating, prices }: Found,
): void {
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
  ${JOBS} running jobs with heartbeats every ${BEAT_S} s instead of 15 min, for as long: ${types(beating)}.
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
