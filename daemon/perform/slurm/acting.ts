import type { SlurmCommands } from '../../slurm/commands.ts';
import type { QueryJob } from '../../slurm/query-job.ts';
import type { Clock, CommandResult, Exec } from '../../system/ports.ts';
import type { Outcome } from '../../vocabulary/outcome.ts';

/** What every command that changes something in Slurm needs. */
export interface Acting {
  readonly clock: Clock;
  readonly exec: Exec;
  readonly slurm: SlurmCommands;
  readonly look: QueryJob;
}

/** slurmctld's final refusals (`slurm_strerror`): a retry gives the same answer. */
const FINAL =
  /permission denied|Invalid user id|disabled|Invalid job array|not pending|Invalid .* specified/i;
/** The job ended between the query and the command. */
const OVER = /Invalid job id specified|already (finished|completing|completed)/i;

/** The outcome of such a command; `over` if the job had ended meanwhile. */
export function actOutcome(result: CommandResult): Outcome | 'over' {
  if (result.ok) return { type: 'done' };
  if (result.why === 'exit' && OVER.test(result.stderr)) return 'over';
  if (result.why === 'exit' && FINAL.test(result.stderr))
    return { type: 'refused', status: 0, message: result.message };
  return { type: 'unavailable', message: result.message };
}
