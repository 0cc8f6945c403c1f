import type { Fault } from '../support/cedana/faults.ts';
import { type Random, seeded } from './random.ts';
import {
  DRAIN_MS,
  JOBS,
  type JobPlan,
  type Kill,
  type Moment,
  type Outage,
  type Scenario,
} from './scenario.ts';

const FAULTS: readonly Fault[] = [
  { type: 'reset-before-body' },
  { type: 'reset-after-body' },
  { type: 'reset-after-body', acts: true },
  { type: 'hang' },
  { type: 'hang', acts: true },
  { type: 'truncated' },
  { type: 'answer', status: 429, body: { message: 'slow down' }, headers: { 'retry-after': '1' } },
  { type: 'answer', status: 500, body: { message: 'failed' } },
  { type: 'answer', status: 502, body: 'bad gateway', acts: true },
  { type: 'answer', status: 503, body: 'unavailable' },
  { type: 'answer', status: 504, body: 'gateway timeout' },
];
/** A request that is under way is where most is at stake. */
const MOMENTS: readonly Moment[] = ['request', 'request', 'acted', 'answer', 'command', 'command-done'];

/** The story of one run. What of it coincides with what in the daemon is up to the machine. */
export function scenario(seed: number, index: number): Scenario {
  const random = seeded(seed, index);
  const sourceJob = random.chance(0.2) ? 'leave' : 'cancel';
  const faulty = random.chance(0.35);
  const outage = (chance: number): Outage | null =>
    faulty && random.chance(chance)
      ? { afterMs: random.between(0, DRAIN_MS), forMs: random.between(100, 2_500) }
      : null;
  const kills = random.chance(0.85) ? 1 : random.between(2, 3);
  const actsAfterLook = random.chance(0.5);
  const finalCheckpoint = random.chance(0.85);
  const cold = finalCheckpoint && random.chance(0.25);
  // Without a final checkpoint there has to be an earlier one: a job that has none cannot be brought anywhere. The
  // same holds for a deadline that leaves no time for any.
  const allReady = !finalCheckpoint || (!cold && random.chance(0.3));
  return {
    index,
    sourceJob,
    jobs: Array.from({ length: JOBS }, (_, place) => jobPlan(random, place, allReady ? 1 : 0.5)),
    cause: cause(random, allReady),
    cold,
    kills: Array.from({ length: kills }, (_, nth) => kill(random, nth)),
    lift: random.chance(0.2) ? lift(random) : null,
    restoreFaults: faulty ? faults(random, 6) : [],
    checkpointFaults: faulty ? faults(random, 3) : [],
    apiAway: outage(0.3),
    slurmAway: outage(0.3),
    pace: {
      beforeActingMs: actsAfterLook ? 0 : random.pick([0, 0, 20, 200, 1_200, 2_000]),
      actsAfterLook,
      beforeAnswerMs: random.pick([0, 0, 20, 300]),
      completingMs: random.between(0, 400),
      newJobAfterMs: random.pick([0, 50, 500, 1_000]),
      answersEarly: random.chance(0.5),
      checkpointMs: random.between(0, 600),
      minJobAgeMs: random.pick([2_000, 300_000, 300_000]),
    },
    finalCheckpoint,
    epilog: random.chance(0.5),
  };
}

function cause(random: Random, allReady: boolean): Scenario['cause'] {
  const type = random.pick(['drain', 'drain', 'file', 'file', 'socket'] as const);
  const deadlines = [null, -5_000, 60_000, 120_000];
  return type === 'drain'
    ? { type }
    : { type, deadlineMs: random.pick(allReady ? [...deadlines, 4_000, 10_000] : deadlines) };
}

function jobPlan(random: Random, place: number, readyChance: number): JobPlan {
  return {
    jobId: 101 + place,
    // Users give many jobs one name.
    name: random.pick(['train', 'train', 'eval']),
    uid: random.pick([2000, 2000, 2001]),
    cpus: random.between(1, 64),
    ageMs: random.between(5_000, 3_600_000),
    requeue: random.chance(0.7),
    ready: random.chance(readyChance),
  };
}

function kill(random: Random, nth: number): Kill {
  const downMs = random.pick([0, 0, 100, 1_000]);
  if (random.chance(0.5)) {
    return { point: { ms: random.between(0, nth === 0 ? DRAIN_MS : DRAIN_MS / 2) }, downMs };
  }
  const moment = random.pick(MOMENTS);
  const isCommand = moment === 'command' || moment === 'command-done';
  const restoresOnly = !isCommand && random.chance(0.6);
  const most = isCommand ? 40 : restoresOnly || moment === 'acted' ? JOBS : 20;
  return { point: { moment, nth: random.between(1, most), restoresOnly }, downMs };
}

function lift(random: Random): Scenario['lift'] {
  const againAfterMs = random.chance(0.4) ? random.between(100, DRAIN_MS) : null;
  return { afterMs: random.between(0, DRAIN_MS), againAfterMs };
}

function faults(random: Random, most: number): Fault[] {
  return Array.from({ length: random.between(0, most) }, () =>
    random.chance(0.4) ? { type: 'none' } : random.pick(FAULTS),
  );
}
