/*
 * From the moment that a notice is there to be seen to the first and the last restore call, with the API and Slurm
 * played by this process: each API call takes 50 ms, and each job has a checkpoint that is ready. The yardstick is a
 * program that does nothing but post them. And what it costs to wait for a notice that never comes.
 */
import { daemonProgram } from '../crash/program.ts';
import { createRig, type Rig, type RigOptions } from '../crash/rig.ts';
import { calmScenario } from '../crash/scenario.ts';
import { prepare } from '../crash/story.ts';
import { until } from '../lab/until.ts';
import { ANNOUNCERS, type Announcer } from './announcers.ts';
import { bareRestores } from './bare-restores.ts';
import { idleCosts } from './idle-costs.ts';
import { processCpuMs } from './process-cpu.ts';
import type { Report, Section } from './report.ts';
import { median, summary } from './statistics.ts';
import { figure } from './table.ts';
import { unitFlags } from './unit-flags.ts';

const API_MS = 50;
/** How often each number of jobs is measured: a single one is told apart from chance by more runs. */
const RUNS: readonly (readonly [jobs: number, runs: number])[] = [
  [1, 4],
  [10, 2],
  [100, 1],
];

export const notices: Section = {
  name: 'notices',
  title: 'from a termination notice to the restore calls',
  async run(report) {
    using program = await daemonProgram();
    const options = { ...program, nodeFlags: unitFlags() };
    const found: Found[] = [];
    for (const announcer of [null, ...ANNOUNCERS]) {
      for (const [jobs, runs] of RUNS) found.push(await measure(announcer, { jobs, runs }, options));
    }
    tell(report, found);
    await idleCosts(report, options);
  },
};

interface Found {
  /** Null for the yardstick. */
  readonly announcer: Announcer | null;
  readonly jobs: number;
  readonly firstMs: number[];
  readonly lastMs: number[];
  /** Of the daemon and its commands, until the last call; none for the yardstick. */
  readonly cpuMs: number[];
}

async function measure(
  announcer: Announcer | null,
  { jobs, runs }: { jobs: number; runs: number },
  options: RigOptions & { readonly nodeFlags: readonly string[] },
): Promise<Found> {
  const found: Found = { announcer, jobs, firstMs: [], lastMs: [], cpuMs: [] };
  for (let run = 0; run < runs; run++) {
    const { firstMs, lastMs, cpuMs } =
      announcer === null
        ? { ...(await bareRestores(jobs, API_MS, options.nodeFlags)), cpuMs: null }
        : await once(announcer, jobs, options);
    found.firstMs.push(firstMs);
    found.lastMs.push(lastMs);
    if (cpuMs !== null) found.cpuMs.push(cpuMs);
  }
  return found;
}

async function once(announcer: Announcer, count: number, options: RigOptions) {
  const calm = calmScenario();
  const [job] = calm.jobs;
  const story = {
    ...calm,
    jobs: Array.from({ length: count }, (_, place) => ({ ...job!, jobId: 101 + place })),
  };
  await using notice = await announcer.start();
  const restore = { source_job: 'cancel', final_checkpoint: false };
  await using rig = await createRig(story, { ...options, config: { notices: notice.config, restore } });
  rig.daemon.start();
  await prepare(story, rig);
  await notice.watched();
  for (const script of Object.values(rig.api.scripts)) script.latencyMs = API_MS;
  const cpuBefore = processCpuMs(rig.daemon.pid!);
  const at = await notice.announce(rig);
  const calls = await restoreCalls(rig, count);
  const cpuMs = processCpuMs(rig.daemon.pid!) - cpuBefore;
  await rig.daemon.stop();
  return { firstMs: Math.min(...calls) - at, lastMs: Math.max(...calls) - at, cpuMs };
}

/** When the API got each of them. */
async function restoreCalls({ api, daemon }: Rig, count: number): Promise<number[]> {
  const calls = () => api.entries.filter(({ route }) => route === 'restore').map(({ at }) => Date.parse(at));
  await until(() => calls().length >= count, {
    what: `${count} restore calls`,
    timeoutMs: 60_000,
    everyMs: 5,
    details: async () => `${calls().length} came; ${JSON.stringify(await daemon.ask('/v1/status'))}`,
  });
  return calls();
}

function tell(report: Report, found: readonly Found[]): void {
  report.say(
    `Each API call takes ${API_MS} ms, restore.concurrency is 4, each job has a ready checkpoint and no final one is\n` +
      `taken: ${(100 / 4) * API_MS} ms is the least that 100 jobs can take.`,
  );
  report.table(
    ['', 'jobs', 'runs', 'first ms, best', 'median', 'worst', 'last ms, best', 'median', 'worst', 'CPU ms'],
    found.map(({ announcer, jobs, firstMs, lastMs, cpuMs }) => {
      const [first, last] = [summary(firstMs), summary(lastMs)];
      return [
        announcer?.name ?? 'yardstick',
        ...[jobs, first.count, first.best, first.median, first.worst].map(figure),
        ...[last.best, last.median, last.worst].map(figure),
        cpuMs.length === 0 ? '–' : figure(median(cpuMs)),
      ];
    }),
  );
  for (const { announcer, jobs, firstMs, lastMs } of found) {
    if (announcer === null) continue;
    const { name, pollMs } = announcer;
    const what = `${name}, ${jobs === 1 ? '1 job' : `${jobs} jobs`}`;
    // A poll's wait is chance, so the worst counts there; elsewhere a busy machine is all that makes for one.
    if (pollMs === null) {
      report.goal(`${what}, to the first restore call, median`, median(firstMs), { atMost: 100 }, 'ms');
    } else {
      const { worst } = summary(firstMs);
      report.goal(`${what}, to the first restore call, worst`, worst, { atMost: pollMs + 50 }, 'ms');
    }
    if (jobs < 100) continue;
    // What a poll has waited is not counted twice.
    const [to, ms] =
      pollMs === null
        ? ['to the last restore call', median(lastMs)]
        : [
            'from the first to the last restore call',
            median(lastMs.map((last, run) => last - firstMs[run]!)),
          ];
    report.goal(`${what}, ${to}`, ms, { atMost: 2_000 }, 'ms');
  }
}
