/*
 * From exec to READY, by systemd's own clock, with an empty journal and with one of 1,000 running jobs.
 */
import { join } from 'node:path';
import { CkptdLab } from '../cluster/ckptd-lab.ts';
import type { LabNode } from '../lab/lab.ts';
import { writeJournal } from './full-journal.ts';
import type { Section } from './report.ts';
import { summary } from './statistics.ts';
import { figure } from './table.ts';
import { INSIDE, NODE, timeInside } from './time-inside.ts';
import { UNIT_ENV, unitFlags } from './unit-flags.ts';

const STARTS = 20;
const JOBS = 1_000;

export const ready: Section = {
  name: 'ready',
  title: 'from exec to READY',
  async run(report) {
    await using cluster = await CkptdLab.start({
      nodes: 1,
      hooks: false,
      config: { slurm: {} },
      binds: [INSIDE],
    });
    const node = cluster.lab.nodes[0]!;
    writeJournal(join(cluster.lab.shared, 'full'), { node: node.name, jobs: JOBS });
    const none = { env: {}, runs: STARTS, pauseMs: 20 };
    const plain = await timeInside(node, { ...none, argv: [NODE, '-e', '0'] });
    const flagged = await timeInside(node, {
      ...none,
      env: UNIT_ENV,
      argv: [NODE, ...unitFlags(), '-e', '0'],
    });
    const empty = await starts(node, 'rm -rf /var/lib/ckptd/*');
    const full = await starts(node, 'rm -rf /var/lib/ckptd/* && cp /shared/full/* /var/lib/ckptd/');

    const rows: [string, readonly number[]][] = [
      ['an empty Node process, start to end', plain.wallMs],
      ["the same with the unit's flags", flagged.wallMs],
      ['ckptd, empty journal', empty],
      [`ckptd, journal of ${JOBS} jobs`, full],
    ];
    report.table(
      ['', 'starts', 'best ms', 'median ms', 'p95 ms', 'worst ms'],
      rows.map(([what, samples]) => {
        const s = summary(samples);
        return [what, `${s.count}`, ...[s.best, s.median, s.p95, s.worst].map(figure)];
      }),
    );
    report.goal('empty journal, median', summary(empty).median, { atMost: 400 }, 'ms');
    report.goal(`journal of ${JOBS} jobs, median`, summary(full).median, { atMost: 400 }, 'ms');
    report.goal(`journal of ${JOBS} jobs, worst`, summary(full).worst, { atMost: 400 }, 'ms');
  },
};

/** Milliseconds from the fork of the main process to READY, over so many starts. */
async function starts(node: LabNode, prepare: string): Promise<number[]> {
  const samples: number[] = [];
  for (let start = 0; start < STARTS; start++) {
    const { stdout } = await node.run(`systemctl stop ckptd && ${prepare} && systemctl start ckptd &&
      systemctl show ckptd -p ExecMainStartTimestampMonotonic -p ActiveEnterTimestampMonotonic`);
    samples.push((micros(stdout, 'ActiveEnter') - micros(stdout, 'ExecMainStart')) / 1000);
  }
  return samples;
}

function micros(shown: string, which: string): number {
  return Number(new RegExp(`^${which}TimestampMonotonic=(\\d+)$`, 'm').exec(shown)?.[1]);
}
