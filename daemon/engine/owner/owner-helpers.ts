import { type LineChild, startLineChild } from '../../system/process/line-child.ts';
import type { JobId } from '../../vocabulary/job.ts';
import { type AsOwner, identityOf, readAnswer, TIMEOUT_MS } from './as-owner.ts';
import type { Owner } from './owner.ts';

/** Processes that have become the owner of a job, from before there is something to do until its restore is over. */
export interface OwnerHelpers {
  /** Has a spare process ready for the next `open`, if there is none and no restore is under way. */
  standBy(): void;
  /** Makes one the job's, in the place of its last, and waits for nothing. */
  open(jobId: JobId, owner: Owner): void;
  /** Without one there is nothing to close. */
  close(jobId: JobId): void;
}

/** Some 42 MB each, of which 8.5 are its own: the rest is Node's text, which the engine has in memory anyway. */
const MOST = 8;

/**
 * Starting Node takes longer than all that is done with an owner's rights: a process each would be most of what a
 * small job waits for. `once` does what no helper is there for, or free. All end with the signal.
 *
 * So that not even the first restore waits for a start of Node, one process that has done nothing yet is kept as a
 * spare: it is root's until `open` hands it its one identity, and is nobody else's after that. It is there from the
 * engine's start on, because a job's first restore on a node is the usual one, and a look at the shared file system
 * for whether anybody has a checkpoint costs more than 8.5 MB. V8's flags do not make these less. The next is started
 * when no restore is under way, whose CPU it would take.
 */
export function ownerHelpers(
  once: AsOwner,
  program: string,
  signal: AbortSignal,
): { readonly asOwner: AsOwner; readonly helpers: OwnerHelpers } {
  const all = new Map<JobId, { readonly identity: string; readonly child: LineChild }>();
  let spare: LineChild | null = null;
  signal.addEventListener('abort', () => {
    for (const jobId of all.keys()) drop(jobId);
    spare?.[Symbol.dispose]();
  });

  const start = (): LineChild => startLineChild({ file: process.execPath, args: [program] });
  function drop(jobId: JobId): void {
    all.get(jobId)?.child[Symbol.dispose]();
    all.delete(jobId);
  }
  function standBy(): void {
    if (all.size === 0 && !spare?.isFree && !signal.aborted) spare = start();
  }

  return {
    helpers: {
      standBy,
      open(jobId, owner) {
        drop(jobId);
        if (all.size >= MOST || signal.aborted) return;
        const identity = identityOf(owner);
        const child = spare?.isFree ? spare : start();
        spare = null;
        child.tell(identity);
        all.set(jobId, { identity, child });
      },
      close(jobId) {
        drop(jobId);
        standBy();
      },
    },
    async asOwner(owner, operations, inside = null) {
      const identity = identityOf(owner);
      const free = [...all.values()].find((each) => each.identity === identity && each.child.isFree);
      if (inside !== null || !free) return once(owner, operations, inside);
      const answer = await free.child.ask(JSON.stringify(operations), TIMEOUT_MS);
      if (answer.ok) return readAnswer(answer.line);
      return { ok: false, message: `the job's files cannot be changed: ${answer.message}` };
    },
  };
}
