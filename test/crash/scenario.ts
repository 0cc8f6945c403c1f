import type { Fault } from '../support/cedana/faults.ts';

export const JOBS = 5;
/** What a drain without a kill takes, from the drain to the last job gone, with some to spare. */
export const DRAIN_MS = 4_000;

export interface JobPlan {
  readonly jobId: number;
  readonly name: string;
  readonly uid: number;
  readonly cpus: number;
  readonly ageMs: number;
  /** The job's own `Requeue`, as its user wants it. */
  readonly requeue: boolean;
  /** Whether a checkpoint of it is ready before the node is drained. */
  readonly ready: boolean;
}

/** What the world sees of the daemon, and a kill can be tied to. */
export type Moment =
  /** A request is read, and not carried out yet. */
  | 'request'
  /** A restore was carried out, its answer not begun. */
  | 'acted'
  /** An answer went to the operating system as a whole. */
  | 'answer'
  /** A Slurm command began, or was carried out. */
  | 'command'
  | 'command-done';

export interface Kill {
  /** So long after the drain, or after the start that followed the kill before; or the `nth` moment of a kind. */
  readonly point:
    | { readonly ms: number }
    | { readonly moment: Moment; readonly nth: number; readonly restoresOnly: boolean };
  /** How long nobody starts the daemon again. */
  readonly downMs: number;
}

export interface Scenario {
  readonly index: number;
  readonly sourceJob: 'cancel' | 'leave';
  readonly jobs: readonly JobPlan[];
  /** Who says that the node goes away: an administrator, or a termination notice with its deadline so far ahead. */
  readonly cause:
    | { readonly type: 'drain' }
    | { readonly type: 'file' | 'socket'; readonly deadlineMs: number | null };
  /** The node is drained before the daemon has ever run. */
  readonly cold: boolean;
  readonly kills: readonly Kill[];
  /** So long after the drain, or the notice, it is taken back, and perhaps so long after that set anew. */
  readonly lift: { readonly afterMs: number; readonly againAfterMs: number | null } | null;
  readonly restoreFaults: readonly Fault[];
  readonly checkpointFaults: readonly Fault[];
  /** The API refuses connections, slurmctld does not answer: from when after the drain, for how long. */
  readonly apiAway: Outage | null;
  readonly slurmAway: Outage | null;
  /** How the service and Slurm take their time. */
  readonly pace: Pace;
  readonly finalCheckpoint: boolean;
  readonly epilog: boolean;
}

export interface Outage {
  readonly afterMs: number;
  readonly forMs: number;
}

export interface Pace {
  readonly beforeActingMs: number;
  /** A restore whose daemon is dead by then is carried out only when the next one has looked for it. */
  readonly actsAfterLook: boolean;
  readonly beforeAnswerMs: number;
  readonly completingMs: number;
  readonly newJobAfterMs: number;
  /** The answer says that the restore was accepted, and Slurm shows the new job later. */
  readonly answersEarly: boolean;
  readonly checkpointMs: number;
  /** After which slurmctld forgets an ended job. */
  readonly minJobAgeMs: number;
}

/** Whether the node stays drained at last, so that every job has to leave it. */
export function staysDrained({ lift }: Scenario): boolean {
  return lift === null || lift.againAfterMs !== null;
}

/** A drain in which nothing goes wrong. */
export function calmScenario(): Scenario {
  const job = { name: 'train', uid: 2000, cpus: 4, ageMs: 60_000, requeue: true, ready: true };
  return {
    index: -1,
    sourceJob: 'cancel',
    jobs: Array.from({ length: JOBS }, (_, place) => ({ ...job, jobId: 101 + place })),
    cause: { type: 'drain' },
    cold: false,
    kills: [],
    lift: null,
    restoreFaults: [],
    checkpointFaults: [],
    apiAway: null,
    slurmAway: null,
    pace: {
      beforeActingMs: 0,
      actsAfterLook: false,
      beforeAnswerMs: 0,
      completingMs: 0,
      newJobAfterMs: 0,
      answersEarly: false,
      checkpointMs: 0,
      minJobAgeMs: 300_000,
    },
    finalCheckpoint: true,
    epilog: false,
  };
}
