import { setTimeout as delay } from 'node:timers/promises';
import { createRig, type Rig, type RigOptions } from '../crash/rig.ts';
import { calmScenario } from '../crash/scenario.ts';
import { until } from '../lab/until.ts';
import { ANNOUNCERS, type Announcement } from './announcers.ts';
import { processCpuMs } from './process-cpu.ts';
import type { Report } from './report.ts';
import { figure } from './table.ts';

const WINDOW_S = 60;

interface Idle {
  readonly name: string;
  readonly notice: Announcement | null;
  readonly rig: Rig;
}

/**
 * What each provider costs while there is nothing to say: daemons without a job, all at the same time, beside one that
 * listens to nobody.
 */
export async function idleCosts(report: Report, options: RigOptions): Promise<void> {
  await using resources = new AsyncDisposableStack();
  const daemons: Idle[] = [];
  for (const announcer of [null, ...ANNOUNCERS]) {
    const notice = announcer === null ? null : resources.use(await announcer.start());
    daemons.push(await start(announcer?.name ?? 'nobody', notice, resources, options));
  }
  // What a start costs is not what is meant: their first looks are over, and they have come to rest.
  await delay(5_000);
  const before = daemons.map(used);
  await delay(WINDOW_S * 1_000);
  const after = daemons.map(used);

  const perMinute = 60 / WINDOW_S;
  const spent = daemons.map(({ name }, place) => ({
    name,
    requests: (after[place]!.requests - before[place]!.requests) * perMinute,
    cpuMs: (after[place]!.cpuMs - before[place]!.cpuMs) * perMinute,
  }));
  const nobody = spent[0]!.cpuMs;
  report.table(
    ['while nothing is said', 'requests a minute', 'CPU ms a minute', 'beyond nobody', '% of a core'],
    spent.map(({ name, requests, cpuMs }) => [
      name,
      ...[requests, cpuMs, cpuMs - nobody, cpuMs / 600].map(figure),
    ]),
  );
  for (const { rig } of daemons) await rig.daemon.stop();
}

async function start(
  name: string,
  notice: Announcement | null,
  resources: AsyncDisposableStack,
  options: RigOptions,
): Promise<Idle> {
  const config = {
    notices: notice?.config ?? {},
    // Looks at Slurm are another section's.
    slurm: { poll_node: '10m', rescan_jobs: '10m' },
  };
  const rig = resources.use(await createRig({ ...calmScenario(), jobs: [] }, { ...options, config }));
  rig.daemon.start();
  await until(() => rig.daemon.ask('/v1/status'), { what: `the daemon that listens to ${name}` });
  await notice?.watched();
  return { name, notice, rig };
}

function used({ notice, rig }: Idle): { requests: number; cpuMs: number } {
  return { requests: notice?.requests() ?? 0, cpuMs: processCpuMs(rig.daemon.pid!) };
}
