import type { SlurmCommands } from '../../slurm/commands.ts';
import type { QueryJob } from '../../slurm/query-job.ts';
import type { Clock, CommandResult, Exec } from '../../system/ports.ts';
import type { Outcome } from '../../vocabulary/outcome.ts';

/** What every command that acts on Slurm needs. */
export interface Acting {
  readonly clock: Clock;
  readonly exec: Exec;
  readonly slurm: SlurmCommands;
  readonly look: QueryJob;
}

/** slurmctld's own refusals (`slurm_strerror`), which do not change by asking again. */
const FINAL =
  /permission denied|Invalid user id|disabled|Invalid job array|not pending|Invalid .* specified/i;
/** The job came to its end between the look and the command. */
const OVER = /Invalid job id specified|already (finished|completing|completed)/i;

/** What became of a command that acts; `over` where the job had ended meanwhile. */
export function actOutcome(result: CommandResult): Outcome | 'over' {
  if (result.ok) return { type: 'done' };
  if (result.why === 'exit' && OVER.test(result.stderr)) return 'over';
  if (result.why === 'exit' && FINAL.test(result.stderr))
    return { type: 'refused', status: 0, message: result.message };
  return { type: 'unavailable', message: result.message };
}
