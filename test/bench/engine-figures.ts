import type { Report } from './report.ts';
import { median, summary } from './statistics.ts';
import { figure } from './table.ts';

export interface Size {
  readonly what: string;
  readonly program: string;
  readonly megabytes: number;
  readonly text?: boolean;
  /** Of each kind; the disk is what takes the time. */
  readonly dumps: number;
}

export interface Checkpoints {
  readonly readyMs: number[];
  readonly frozenMs: number[];
  storedMb: number;
}

export interface Restored {
  /** From slurmd's launch of the job: until its images are unpacked, and until it runs. */
  readonly plannedMs: number;
  readonly runsMs: number;
}

/** How the engine is configured: `moved` is `none` with its work_dir on the file system of the store. */
export const MODES = ['none', 'moved', 'zstd'] as const;
export type Mode = (typeof MODES)[number];

export interface Measured {
  readonly size: Size;
  readonly bareMs: number[];
  /** The same with `cp` and `sync` to the store's file system behind it. */
  readonly byHandMs: number[];
  readonly bareFrozenMs: number[];
  readonly by: Readonly<Record<Mode, Checkpoints>>;
  readonly bareRestoreMs: number[];
  readonly restored: Restored[];
}

export interface Drained {
  /** From the administrator's command to the job running on elsewhere, and how long it stood still of that. */
  readonly movedMs: number;
  readonly stillMs: number;
}

const half = (samples: readonly number[]): string => figure(median(samples));

export function tellCheckpoints(report: Report, all: readonly Measured[]): void {
  report.say(
    'From the call to the published checkpoint, beside `criu dump` from its start to its end, and beside that with\n' +
      '`cp -r` and `sync -f` to the same file system behind it (by hand); medians.',
  );
  report.table(
    [
      'ms',
      'criu dump',
      'zstd',
      '×',
      'none',
      '×',
      'none, moved',
      '×',
      'by hand',
      'zstd ×',
      'frozen: criu',
      'engine',
      '×',
    ],
    all.map(({ size, bareMs, byHandMs, bareFrozenMs, by }) => {
      const [bare, frozen] = [median(bareMs), median(bareFrozenMs)];
      const ready = [by.zstd, by.none, by.moved].flatMap(({ readyMs }) => {
        const ms = median(readyMs);
        return [ms, ms / bare];
      });
      const engineFrozen = frozenBy(by);
      const byHand = median(byHandMs);
      const beside = [byHand, median(by.zstd.readyMs) / byHand];
      return [
        size.what,
        ...[bare, ...ready, ...beside, frozen, engineFrozen, engineFrozen / frozen].map(figure),
      ];
    }),
  );
  report.say('zstd is what ships; moved: none, with work_dir on the file system of the store.');
  report.table(
    ['images, MB', 'as they are', 'zstd', 'of it'],
    all.map(({ size, by: { none, zstd } }) => [
      size.what,
      figure(none.storedMb),
      figure(zstd.storedMb),
      `${figure((zstd.storedMb / none.storedMb) * 100)} %`,
    ]),
  );
  for (const { size, bareMs, bareFrozenMs, by } of all) {
    for (const [mode, how] of [
      ['zstd', ''],
      ['moved', ', none and moved'],
    ] as const) {
      const ratio = median(by[mode].readyMs) / median(bareMs);
      const what = `checkpoint of ${size.what}${how}, of a bare criu dump's time`;
      report.goal(what, ratio, { atMost: 1.15 }, 'times');
    }
    const frozen = frozenBy(by) / median(bareFrozenMs);
    report.goal(`frozen, ${size.what}, of a bare criu dump's`, frozen, { atMost: 1.05 }, 'times');
  }
}

function frozenBy(by: Measured['by']): number {
  return median(MODES.flatMap((mode) => by[mode].frozenMs));
}

export function tellRestores(report: Report, all: readonly Measured[], fresh: readonly number[]): void {
  report.say(
    `\nFrom slurmd's launch of the job to the job running on. A job that begins anew needs ${half(fresh)} ms for that, which\n` +
      'is Slurm itself. compress: zstd, as it ships; medians.',
  );
  report.table(
    ['ms', 'criu restore', 'engine', 'of it until unpacked', 'without Slurm', '×'],
    all.map(({ size, bareRestoreMs, restored }) => {
      const bare = median(bareRestoreMs);
      const runs = median(restored.map(({ runsMs }) => runsMs));
      const own = runs - median(fresh);
      const planned = median(restored.map(({ plannedMs }) => plannedMs));
      return [size.what, ...[bare, runs, planned, own, own / bare].map(figure)];
    }),
  );
  for (const { size, bareRestoreMs, restored } of all) {
    const own = median(restored.map(({ runsMs }) => runsMs)) - median(fresh);
    const ratio = own / median(bareRestoreMs);
    report.goal(`restore of ${size.what}, of a bare criu restore's time`, ratio, { atMost: 1.15 }, 'times');
  }
}

export function tellDrains(report: Report, all: readonly Drained[]): void {
  report.say(
    '\nFrom the drain of its node to the job running on elsewhere; poll_node 1 s (15 s as it ships).',
  );
  const rows: [string, number[]][] = [
    ['drain to running again', all.map(({ movedMs }) => movedMs / 1000)],
    ['  of it the job stood still', all.map(({ stillMs }) => stillMs / 1000)],
  ];
  report.table(
    ['s', 'drains', 'best', 'median', 'worst'],
    rows.map(([what, seconds]) => {
      const s = summary(seconds);
      return [what, `${s.count}`, ...[s.best, s.median, s.worst].map(figure)];
    }),
  );
}
