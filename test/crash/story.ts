import { setTimeout as sleep } from 'node:timers/promises';
import type { DaemonProcess } from './daemon-process.ts';
import type { Rig } from './rig.ts';
import { DRAIN_MS, type Scenario, staysDrained } from './scenario.ts';
import { begin, takeBack } from './termination.ts';

/** How long the daemon may take to come to rest after the last kill, with every fault there is. */
const CONVERGES_WITHIN_MS = 90_000;

interface JobView {
  readonly job_id: number;
  readonly state: string;
  readonly ready: object | null;
  readonly plan: { readonly step: string } | null;
}

interface StatusView {
  readonly nodes: readonly { readonly node: string; readonly away_since: string | null }[];
  readonly effects: readonly string[];
}

/** Plays the story to its end. Returns what went wrong with the daemon's coming to rest, or null. */
export async function play(story: Scenario, rig: Rig): Promise<string | null> {
  const { daemon } = rig;
  if (!story.cold) {
    daemon.start();
    await prepare(story, rig);
  }
  const { cause } = story;
  if (story.cold && cause.type === 'socket') daemon.start();
  await begin(story, rig);
  if (story.cold && cause.type !== 'socket') daemon.start();
  const meanwhile = Promise.all([lift(story, rig), apiOutage(story, rig), slurmOutage(story, rig)]);
  await killAgainAndAgain(story, rig);
  await meanwhile;
  return atRest(story, rig);
}

/** Waits until the daemon watches all jobs, and until some of them have a checkpoint. */
export async function prepare(story: Scenario, { daemon, api }: Rig): Promise<void> {
  const faults = api.scripts.checkpoint.faults.splice(0);
  const ids = story.jobs.filter(({ ready }) => ready).map(({ jobId }) => jobId);
  await until(async () => {
    const jobs = await jobsOf(daemon);
    return jobs?.filter(({ state }) => state === 'RUNNING').length === story.jobs.length;
  });
  // One that a heartbeat is under way for is refused, and has its checkpoint all the same.
  await Promise.all(ids.map((jobId) => daemon.ask(`/v1/jobs/${jobId}/checkpoint`, 'POST')));
  await until(async () => {
    const jobs = await jobsOf(daemon);
    return ids.every((id) => jobs?.some(({ job_id, ready }) => job_id === id && ready !== null));
  });
  api.scripts.checkpoint.faults.push(...faults);
}

async function killAgainAndAgain({ kills }: Scenario, { daemon, trigger }: Rig): Promise<void> {
  for (const kill of kills) {
    await trigger.at(kill, 1.5 * DRAIN_MS, () => daemon.kill());
    await daemon.gone();
    await sleep(kill.downMs);
    daemon.start();
  }
}

async function lift(story: Scenario, rig: Rig): Promise<void> {
  if (story.lift === null) return;
  await sleep(story.lift.afterMs);
  await takeBack(story, rig);
  if (story.lift.againAfterMs === null) return;
  await sleep(story.lift.againAfterMs);
  await begin(story, rig);
}

async function apiOutage({ apiAway }: Scenario, { api }: Rig): Promise<void> {
  if (apiAway === null) return;
  await sleep(apiAway.afterMs);
  await api.refuse();
  await sleep(apiAway.forMs);
  await api.listen();
}

async function slurmOutage({ slurmAway }: Scenario, { cluster }: Rig): Promise<void> {
  if (slurmAway === null) return;
  await sleep(slurmAway.afterMs);
  cluster.away = true;
  await sleep(slurmAway.forMs);
  cluster.away = false;
}

/** The daemon has nothing to do any more: each job is gone from it, or stays after the drain was lifted. */
export async function atRest(story: Scenario, rig: Rig): Promise<string | null> {
  let seen = '';
  try {
    await until(async () => {
      const jobs = await jobsOf(rig.daemon);
      const status = (await rig.daemon.ask('/v1/status'))?.body as StatusView | undefined;
      if (!jobs || !status) return false;
      seen = JSON.stringify({ jobs, status });
      const { here, moving } = rig.cluster.whereabouts();
      if (status.effects.length > 0 || moving > 0) return false;
      const known = jobs.map(({ job_id }) => job_id);
      if (known.length !== here.length || !here.every((jobId) => known.includes(jobId))) return false;
      // Of a notice's drain it is the daemon's to set and to lift.
      const drained = rig.cluster.nodes.get('n1')?.state.includes('drain') === true;
      if (story.cause.type !== 'drain' && drained !== staysDrained(story)) return false;
      if (staysDrained(story)) return here.length === 0;
      const back = status.nodes.some(({ node, away_since }) => node === 'n1' && away_since === null);
      return back && jobs.every(({ plan }) => plan === null);
    }, CONVERGES_WITHIN_MS);
    return null;
  } catch {
    return `the daemon does not come to rest: ${seen}`;
  }
}

async function jobsOf(daemon: DaemonProcess): Promise<readonly JobView[] | undefined> {
  if (daemon.crashes.length > 0) throw new Error('the daemon is gone');
  const said = (await daemon.ask('/v1/jobs'))?.body as { jobs?: readonly JobView[] } | undefined;
  return said?.jobs;
}

async function until(holds: () => Promise<boolean>, withinMs = 120_000): Promise<void> {
  for (const end = Date.now() + withinMs; !(await holds()); await sleep(100)) {
    if (Date.now() > end) throw new Error('it did not come about in time');
  }
}
