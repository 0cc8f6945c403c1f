import { parseConfig } from '../../../config/load.ts';
import { policyOf } from '../../../config/policy.ts';
import { ConfigError } from '../../../config/problem.ts';
import { readText } from '../../../config/read-text.ts';
import type { Log } from '../../../system/ports.ts';
import { type Matched, ruleOf } from '../../../vocabulary/job-rule.ts';

/**
 * Whether the policies of ckptd.yaml let a job resume. Without that file every job does; with one that cannot be
 * used too, and a warning: losing a job's work for a typing error would be the worse mistake.
 */
export function resumes(file: string, job: Matched, log: Log): boolean {
  try {
    const text = readText(file);
    // What ckptd takes from its environment is of no matter here, but has to be there.
    const env = {
      CEDANA_CLUSTER_ID: '00000000-0000-4000-8000-000000000001',
      CEDANA_URL: 'https://localhost',
    };
    const rule = ruleOf(policyOf(parseConfig(text, { file, env, hostname: 'localhost' })).rules, job);
    return rule === undefined || (rule.enabled && rule.resume);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if ((error.cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') return true;
    log.warn({ file, problem: error.message }, 'its policies cannot be read: every job resumes');
    return true;
  }
}
