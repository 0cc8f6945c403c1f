/*
 * From exec to READY, by systemd's own clock, with an empty journal and with one of 1,000 running jobs.
 */
import { join } from 'node:path';
import { CkptdLab } from '../cluster/ckptd-lab.ts';
import type { LabNode } from '../lab/lab.ts';
import { writeJournal } from './full-journal.ts';
import type { Section } from './report.ts';
import { median, summary } from './statistics.ts';
import { figure } from './table.ts';
import { INSIDE, NODE, timeInside } from './time-inside.ts';
import { unitCpuMs } from './unit-cpu.ts';
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

    const rows: [string, readonly number[], number][] = [
      ['an empty Node process, start to end', plain.wallMs, plain.cpuMs],
      ["the same with the unit's flags", flagged.wallMs, flagged.cpuMs],
      ['ckptd, empty journal', empty.wallMs, median(empty.cpuMs)],
      [`ckptd, journal of ${JOBS} jobs`, full.wallMs, median(full.cpuMs)],
    ];
    report.table(
      ['', 'starts', 'best ms', 'median ms', 'p95 ms', 'worst ms', 'CPU ms'],
      rows.map(([what, samples, cpuMs]) => {
        const s = summary(samples);
        return [what, `${s.count}`, ...[s.best, s.median, s.p95, s.worst, cpuMs].map(figure)];
      }),
    );
    report.goal('empty journal, median', summary(empty.wallMs).median, { atMost: 400 }, 'ms');
    report.goal(`journal of ${JOBS} jobs, median`, summary(full.wallMs).median, { atMost: 400 }, 'ms');
    report.goal(`journal of ${JOBS} jobs, worst`, summary(full.wallMs).worst, { atMost: 400 }, 'ms');
  },
};

/** From the fork of the main process to READY, over so many starts; CPU with the first breath after it. */
async function starts(node: LabNode, prepare: string): Promise<{ wallMs: number[]; cpuMs: number[] }> {
  const samples = { wallMs: [] as number[], cpuMs: [] as number[] };
  for (let start = 0; start < STARTS; start++) {
    await node.run(`systemctl stop ckptd && ${prepare} && systemctl start ckptd`);
    samples.cpuMs.push(await unitCpuMs(node, 'ckptd'));
    const { stdout } = await node.run(['systemctl', 'show', 'ckptd']);
    samples.wallMs.push((micros(stdout, 'ActiveEnter') - micros(stdout, 'ExecMainStart')) / 1000);
  }
  return samples;
}

function micros(shown: string, which: string): number {
  return Number(new RegExp(`^${which}TimestampMonotonic=(\\d+)$`, 'm').exec(shown)?.[1]);
}
