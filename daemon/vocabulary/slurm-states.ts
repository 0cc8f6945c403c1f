/*
 * Which of Slurm's states mean what: of jobs first, then of nodes. They stand in the vocabulary, and not in slurm/,
 * because `decide` uses them as well, and may import nothing else.
 */

/** A run that Slurm is done with for good. */
export const ENDED_STATES: ReadonlySet<string> = new Set([
  'COMPLETED',
  'CANCELLED',
  'FAILED',
  'TIMEOUT',
  'NODE_FAIL',
  'PREEMPTED',
  'BOOT_FAIL',
  'DEADLINE',
  'OUT_OF_MEMORY',
  'REVOKED',
]);
/** The same on this cluster: a REVOKED job runs on another cluster of its federation. */
export const ENDED_HERE_STATES: ReadonlySet<string> = new Set(
  [...ENDED_STATES].filter((s) => s !== 'REVOKED'),
);
/** Slurm gave the run up because of its node. */
export const NODE_FAILURE_STATES: ReadonlySet<string> = new Set(['NODE_FAIL', 'BOOT_FAIL']);
/** The run was ended from outside: neither the job nor its owner ended it. */
export const INTERRUPTED_STATES: ReadonlySet<string> = new Set([...NODE_FAILURE_STATES, 'PREEMPTED']);
/** Before the next run of the job; what these hide shows as COMPLETING. */
export const WAITING_STATES: ReadonlySet<string> = new Set([
  'PENDING',
  'REQUEUED',
  'REQUEUE_HOLD',
  'SPECIAL_EXIT',
]);
/** The job's processes are on its nodes. */
export const PRESENT_STATES: ReadonlySet<string> = new Set(['RUNNING', 'SUSPENDED']);
/** States that pass by themselves; the state behind them does not show through. */
export const TRANSIENT_STATES: ReadonlySet<string> = new Set([
  'COMPLETING',
  'STAGE_OUT',
  'SIGNALING',
  'STOPPED',
]);

/** The run has ended, or is about to: there is nothing left to end. */
export function isEnding(state: string): boolean {
  return state === 'COMPLETING' || ENDED_STATES.has(state);
}

/**
 * A node that is being shut down. A plain `scontrol reboot` (REBOOT_REQUESTED without DRAIN) is not among these: the
 * node still takes jobs, and waits for them to end.
 */
export const SHUTDOWN_FLAGS: readonly string[] = [
  'POWER_DOWN',
  'POWERING_DOWN',
  'POWERED_DOWN',
  'REBOOT_ISSUED',
];
/** Slurm gives the node no job by itself. */
export const CLOSED_NODE_STATES: ReadonlySet<string> = new Set([
  'DRAIN',
  'FAIL',
  'DOWN',
  'POWERING_DOWN',
  'POWER_DOWN',
  'REBOOT_ISSUED',
]);
/** Slurm does not reach the node, or there is none. */
export const UNREACHABLE_NODE_STATES: ReadonlySet<string> = new Set([
  'DOWN',
  'UNKNOWN',
  'ERROR',
  'FUTURE',
  'NOT_RESPONDING',
  'POWERED_DOWN',
  'POWERING_DOWN',
]);

/** Somebody, an administrator or ckptd, set the node's drain. FAIL is an administrator's word as well. */
export function isDrained(flags: readonly string[]): boolean {
  return flags.includes('DRAIN') || flags.includes('FAIL');
}
