/*
 * Memory and CPU of ckptd with 0, 100 and 1,000 real jobs on its node, beside Node processes that do nothing. CPU is
 * that of the unit's cgroup: the daemon and every command that it ran.
 *
 * The default heartbeats, every 15 minutes, are brought into a short window by their rate: 7 of 100 jobs (67 of
 * 1,000) get one every minute, the others none: all of them every 15 minutes would be 6.7 (66.7) a minute.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { CkptdLab } from '../cluster/ckptd-lab.ts';
import { type LabNode, until } from '../lab/lab.ts';
import { type Memory, unitMemory } from './memory.ts';
import type { Report, Section } from './report.ts';
import { startSleepers } from './sleepers.ts';
import { figure } from './table.ts';
import { NODE } from './time-inside.ts';
import { unitCpuMs } from './unit-cpu.ts';
import { UNIT_ENV, unitFlags } from './unit-flags.ts';

const EVERY_MINUTE = { schedule: '* * * * *', splay: '55s', min_age: '0s' };
const WINDOW_S = { none: 30, hundred: 90, thousand: 45 };

interface Used {
  readonly what: string;
  readonly memory: Memory;
  /** Of one core; null where it was not looked at. */
  readonly cpuPercent: number | null;
  /** The daemon's own part of it, without its commands. */
  readonly ownPercent: number | null;
  readonly commands: string;
}

export const resources: Section = {
  name: 'resources',
  title: 'memory and CPU with 0, 100 and 1,000 jobs',
  async run(report) {
    await using cluster = await CkptdLab.start({
      nodes: 2,
      nodeConf: 'CPUs=1100 RealMemory=100000',
      // A thousand stepds that measure their job every 5 s would leave no time for anything else.
      slurmConf: 'JobAcctGatherType=jobacct_gather/none\nSlurmdTimeout=300\nMessageTimeout=60\n',
      config: {
        slurm: {},
        heartbeat: { every: '7d', splay: '0s' },
        policies: [{ match: { name: 'beat*' }, heartbeat: EVERY_MINUTE }],
      },
    });
    const [n1, n2] = cluster.lab.nodes as [LabNode, LabNode];
    await emptyNode(n1, 'empty-default', [], {});
    await emptyNode(n1, 'empty-flags', unitFlags(), UNIT_ENV);
    await delay(3_000);
    const used = [
      await used0(n1, 'empty-default', 'an empty Node process'),
      await used0(n1, 'empty-flags', "the same with the unit's flags"),
    ];
    used.push(await usedOver(cluster, n1, 'ckptd, 0 jobs', WINDOW_S.none));
    await addJobs(cluster, n1, { idle: 93, beating: 7 });
    // Both at once, as they are on nodes of their own: the thousand start while the hundred run.
    const thousand = addJobs(cluster, n2, { idle: 933, beating: 67 });
    await nextMinute();
    used.push(await usedOver(cluster, n1, 'ckptd, 100 jobs', WINDOW_S.hundred));
    await thousand;
    used.push(await usedOver(cluster, n2, 'ckptd, 1,000 jobs', WINDOW_S.thousand));
    tell(report, used);
  },
};

/** A Node process with nothing to do, as a unit. */
async function emptyNode(
  node: LabNode,
  unit: string,
  flags: readonly string[],
  env: Readonly<Record<string, string>>,
) {
  const variables = Object.entries(env).map(([name, value]) => `--setenv=${name}=${value}`);
  await node.run([
    'systemd-run',
    '--quiet',
    `--unit=${unit}`,
    ...variables,
    NODE,
    ...flags,
    '-e',
    'setInterval(() => {}, 3e6)',
  ]);
}

async function addJobs(
  cluster: CkptdLab,
  node: LabNode,
  { idle, beating }: { idle: number; beating: number },
) {
  const each = { memory: 10, node: node.name };
  await startSleepers(cluster.lab, { ...each, count: beating, name: 'beat' });
  await startSleepers(cluster.lab, { ...each, count: idle, name: 'idle' });
  await until(async () => (await runningJobs(node)) >= idle + beating, {
    what: `ckptd on ${node.name} to know ${idle + beating} jobs`,
    timeoutMs: 300_000,
    everyMs: 1_000,
    details: () => metrics(node),
  });
}

/** By the daemon's own metrics. */
const runningJobs = async (node: LabNode): Promise<number> =>
  Number(/^ckptd_jobs\{state="RUNNING"\} (\d+)$/m.exec(await metrics(node))?.[1] ?? 0);

const metrics = async (node: LabNode): Promise<string> =>
  (await node.run('curl -s --max-time 10 --unix-socket /run/ckptd/ckptd.sock http://ckptd/metrics')).stdout;

async function nextMinute(): Promise<void> {
  await delay(60_000 - (Date.now() % 60_000));
}

async function used0(node: LabNode, unit: string, what: string): Promise<Used> {
  return { what, memory: await unitMemory(node, unit), cpuPercent: null, ownPercent: null, commands: '' };
}

async function usedOver(cluster: CkptdLab, node: LabNode, what: string, seconds: number): Promise<Used> {
  const before = commandRuns(await metrics(node));
  const [cpu, startedAt, asked] = [
    await unitCpuMs(node, 'ckptd'),
    performance.now(),
    cluster.requests('checkpoint').length,
  ];
  await delay(seconds * 1000);
  const cpuPercent = (((await unitCpuMs(node, 'ckptd')) - cpu) / (performance.now() - startedAt)) * 100;
  const runs = [...commandRuns(await metrics(node))].map(
    ([kind, count]) => `${kind} ${count - (before.get(kind) ?? 0)}`,
  );
  const commands = `${seconds} s: ${runs.join(', ')}; heartbeats on all nodes ${cluster.requests('checkpoint').length - asked}`;
  return { what, memory: await unitMemory(node, 'ckptd'), cpuPercent, ownPercent, commands };
}

function commandRuns(text: string): Map<string, number> {
  const rows = text.matchAll(/^ckptd_commands_total\{kind="(.+)"\} (\d+)$/gm);
  return new Map([...rows].map(([, kind, count]) => [kind!, Number(count)]));
}

function tell(report: Report, used: readonly Used[]): void {
  const [empty, flagged, none, hundred, thousand] = used as [Used, Used, Used, Used, Used];
  report.table(
    ['', 'RSS MB', 'PSS MB', 'private dirty MB', 'anonymous MB', 'RSS ×', 'RSS × with flags', '% of a core'],
    used.map(({ what, memory: m, cpuPercent }) => [
      what,
      ...[
        m.rss,
        m.pss,
        m.privateDirty,
        m.anonymous,
        m.rss / empty.memory.rss,
        m.rss / flagged.memory.rss,
      ].map(figure),
      cpuPercent === null ? '–' : figure(cpuPercent),
    ]),
  );
  for (const { what, commands } of [none, hundred, thousand]) report.say(`  ${what}: ${commands}`);
  const ratio = (mine: Used) => mine.memory.rss / empty.memory.rss;
  report.goal("memory with 0 jobs, of an empty Node process'", ratio(none), { atMost: 1.5 }, 'times');
  report.goal("memory with 100 jobs, of an empty Node process'", ratio(hundred), { atMost: 1.5 }, 'times');
  report.goal("memory with 1,000 jobs, of an empty Node process'", ratio(thousand), { atMost: 1.5 }, 'times');
  report.goal('CPU with 100 jobs', hundred.cpuPercent ?? Number.NaN, { atMost: 0.05 }, '% of a core');
}
