/** A job's record, as far as squeue shows it. */
export interface SlurmJob {
  readonly jobId: number;
  readonly name: string;
  readonly uid: number;
  readonly cpus: number;
  state: 'PENDING' | 'RUNNING' | 'COMPLETING' | 'CANCELLED';
  restarts: number;
  requeue: boolean;
  startAt: number;
  submitAt: number;
  node: 'n1' | 'n2' | null;
}

/** How long Slurm takes for what. */
export interface SlurmTimes {
  readonly completingMs: number;
  readonly newJobAfterMs: number;
  readonly minJobAgeMs: number;
}
