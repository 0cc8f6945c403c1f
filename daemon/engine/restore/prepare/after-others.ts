import type { Millis } from '../../../vocabulary/job.ts';
import type { Manifest } from '../../manifest.ts';
import type { Answer, Operation } from '../../owner/protocol.ts';
import type { Parts } from '../run/parts.ts';
import { type StartedRun, tagOf } from '../run/run.ts';

/** Without a change: one that died on its way back leaves its files aside. */
const MOST_WAIT_MS: Millis = 30_000;
const PAUSE_MS: Millis = 500;

/**
 * Does what takes a job's files at their paths, once no other job is on its way back with one of them: the tasks of an
 * array that move together take turns. Where one stays on its way, it is tried with what is there.
 */
export async function afterOthers(
  { asOwner, clock, signal, log }: Pick<Parts, 'asOwner' | 'clock' | 'signal' | 'log'>,
  { jobId, restarts, owner, shared = [] }: StartedRun,
  { files }: Manifest,
  operations: readonly Operation[],
): Promise<Answer> {
  const paths = new Set(shared);
  const common = files.filter(({ path }) => paths.has(path)).map(({ path, ino }) => ({ path, ino }));
  if (common.length === 0) return asOwner(owner, operations);
  const look: Operation = { op: 'others-aside', tag: tagOf(jobId, restarts), files: common };
  let said = '';
  let since = clock.now();
  for (;;) {
    const answer = await asOwner(owner, [look, ...operations]);
    if (answer.ok) return answer;
    // What was refused may be the work of one that set out between the look and the rest.
    const why = answer.busy ? answer : await asOwner(owner, [look]);
    if (why.ok || !why.busy) return answer;
    if (why.message !== said) {
      said = why.message;
      since = clock.now();
    } else if (clock.now() - since >= MOST_WAIT_MS) {
      log.warn({ job_id: jobId, restarts }, `${said} for ${MOST_WAIT_MS / 1000} s: it is not waited for`);
      return asOwner(owner, operations);
    }
    await clock.sleep(PAUSE_MS, signal);
  }
}
