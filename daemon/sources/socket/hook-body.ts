import { RequestError } from '../../http/reply.ts';

/** The hook's environment: only the variables that Slurm and the SPANK plugin set. */
export type HookEnv = Readonly<Record<string, string>>;

const MAX_VALUE_LENGTH = 4_096;
/** Slurm's restart counter is 32 bits wide. */
const MAX_UINT32 = 0xffff_ffff;

/**
 * Reads `{env: {NAME: value}}`. Values may be users' text. Names other than `SLURM_…`, `SLURMD_…` and `SPANK_…`, and
 * values that are no text, are left out; long values are cut. RequestError 400 for another form, or if the job is not
 * the one in the URL.
 */
export function readHookBody(
  body: Readonly<Record<string, unknown>>,
  jobId: number,
): { env: HookEnv; restarts: number } {
  const { env: given } = body;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new RequestError(
      400,
      'bad-env',
      'the body must hold the environment: {"env": {"SLURM_JOB_ID": "1", …}}',
    );
  }
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    if (typeof value !== 'string' || !/^(SLURMD?|SPANK)_[A-Z0-9_]{1,64}$/.test(name)) continue;
    env[name] = value.slice(0, MAX_VALUE_LENGTH).toWellFormed();
  }
  const named = number(env, 'SLURM_JOB_ID');
  if (named !== null && named !== jobId) {
    throw new RequestError(400, 'wrong-job', `SLURM_JOB_ID is ${named}, but the request is for job ${jobId}`);
  }
  return { env, restarts: number(env, 'SLURM_JOB_RESTART_COUNT') ?? 0 };
}

/** A number that Slurm set; null where it set none. */
function number(env: HookEnv, name: string): number | null {
  const text = env[name];
  if (text === undefined || text === '') return null;
  if (/^\d{1,10}$/.test(text) && Number(text) <= MAX_UINT32) return Number(text);
  throw new RequestError(400, 'bad-env', `${name} is not a number: ${JSON.stringify(text.slice(0, 100))}`);
}
