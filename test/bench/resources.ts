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
import { type DaemonUse, daemonUse, metrics } from './daemon-use.ts';
import { type Memory, unitMemory } from './memory.ts';
import type { Report, Section } from './report.ts';
import { startSleepers } from './sleepers.ts';
import { figure } from './table.ts';
import { NODE } from './time-inside.ts';
import { UNIT_ENV, unitFlags } from './unit-flags.ts';

const EVERY_MINUTE = { schedule: '* * * * *', splay: '55s', min_age: '0s' };
/** The daemon's rescan_jobs as it ships, and what its looks take. */
const RESCAN_S = 60 + 15;
const WINDOW_S = { none: 30, hundred: 90, thousand: 45 };

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
    await startEmpty(n1, 'empty-default', [], {});
    await startEmpty(n1, 'empty-flags', unitFlags(), UNIT_ENV);
    const none = await daemonUse(n1, WINDOW_S.none);
    const empty = await unitMemory(n1, 'empty-default');
    const flagged = await unitMemory(n1, 'empty-flags');
    await addJobs(cluster, n1, { idle: 93, beating: 7 });
    // Both at once, as they are on nodes of their own: the thousand start while the hundred run.
    const thousandKnown = addJobs(cluster, n2, { idle: 933, beating: 67 });
    // By then each socket was seen by a rescan (which looks at its job once more), and heartbeats are due.
    await delay(RESCAN_S * 1000);
    const hundred = await daemonUse(n1, WINDOW_S.hundred);
    await thousandKnown;
    const thousand = await daemonUse(n2, WINDOW_S.thousand);
    tell(report, { empty, flagged, none, hundred, thousand });
  },
};

/** A Node process with nothing to do, as a unit. */
async function startEmpty(
  node: LabNode,
  unit: string,
  flags: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const variables = Object.entries(env).map(([name, value]) => `--setenv=${name}=${value}`);
  const idle = [NODE, ...flags, '-e', 'setInterval(() => {}, 3e6)'];
  await node.run(['systemd-run', '--quiet', `--unit=${unit}`, ...variables, ...idle]);
}

/** Returns when the daemon of the node knows all of them as running. */
async function addJobs(
  { lab }: CkptdLab,
  node: LabNode,
  { idle, beating }: { idle: number; beating: number },
): Promise<void> {
  const each = { memory: 10, node: node.name };
  await startSleepers(lab, { ...each, count: beating, name: 'beat' });
  await startSleepers(lab, { ...each, count: idle, name: 'idle' });
  await until(async () => (await metrics(node)).runningJobs >= idle + beating, {
    what: `ckptd on ${node.name} to know ${idle + beating} jobs`,
    timeoutMs: 300_000,
    everyMs: 1_000,
    details: async () => (await metrics(node)).text,
  });
}

interface Found {
  readonly empty: Memory;
  readonly flagged: Memory;
  readonly none: DaemonUse;
  readonly hundred: DaemonUse;
  readonly thousand: DaemonUse;
}

function tell(report: Report, { empty, flagged, ...daemon }: Found): void {
  const uses: [string, DaemonUse, number][] = [
    ['ckptd, 0 jobs', daemon.none, WINDOW_S.none],
    ['ckptd, 100 jobs', daemon.hundred, WINDOW_S.hundred],
    ['ckptd, 1,000 jobs', daemon.thousand, WINDOW_S.thousand],
  ];
  const memories: [string, Memory][] = [
    ['an empty Node process', empty],
    ["the same with the unit's flags", flagged],
    ...uses.map(([what, { memory }]): [string, Memory] => [what, memory]),
  ];
  report.table(
    ['memory, MB', 'RSS', 'PSS', 'private dirty', 'anonymous', 'RSS ×', 'RSS × with flags'],
    memories.map(([what, m]) => [
      what,
      ...[m.rss, m.pss, m.privateDirty, m.anonymous, m.rss / empty.rss, m.rss / flagged.rss].map(figure),
    ]),
  );
  report.table(
    ['CPU, % of a core', 'all', 'the daemon', 'its commands', 'seconds', 'commands run'],
    uses.map(([what, { cpuPercent, ownPercent, commands }, seconds]) => [
      what,
      ...[cpuPercent, ownPercent, cpuPercent - ownPercent, seconds].map(figure),
      commands,
    ]),
  );
  for (const [what, { memory }] of uses)
    report.goal(
      `memory of ${what}, of an empty Node process'`,
      memory.rss / empty.rss,
      { atMost: 1.5 },
      'times',
    );
  report.goal('CPU with 100 jobs', daemon.hundred.cpuPercent, { atMost: 0.05 }, '% of a core');
}
