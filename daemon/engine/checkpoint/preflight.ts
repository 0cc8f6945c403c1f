/*
 * What the next node would refuse is refused here, where the job still runs. A restore opens and makes everything with the
 * rights of the job's owner and no others, and the kernel gives it nothing more.
 */

import { type Credentials, groupBeyond, readCores } from '../criu/images/cores.ts';
import { readGhosts } from '../criu/images/ghosts.ts';
import { namedPaths } from '../criu/images/named-paths.ts';
import { groupsOf } from '../owner/as-owner.ts';
import { entryToJob } from '../proc/namespaces.ts';
import { ptraceScope } from '../proc/yama.ts';
import type { OpenedFiles } from './dump/opened-files.ts';
import type { Staging } from './dump/staging.ts';
import { TransientError } from './dump/transient-error.ts';
import type { RunningJob } from './find/find-job.ts';
import { type Source, SourceError } from './source.ts';

const TIMEOUT_MS = 60_000;

/** Before the job is touched. @throws SourceError */
export function mustBeRestorable({ proc }: Pick<Source, 'proc'>, { tree }: RunningJob): void {
  const scope = ptraceScope(proc);
  if (scope > 1)
    throw new SourceError(
      `kernel.yama.ptrace_scope is ${scope} on this node: CRIU could not restore the job with its owner's rights (sysctl kernel.yama.ptrace_scope=1)`,
    );
  const filtered = tree.processes.find(({ hasSeccompFilter }) => hasSeccompFilter);
  if (filtered)
    throw new SourceError(
      `process ${filtered.pid} (${filtered.name}) of the job has a filter of seccomp, which only root could give back to it`,
    );
}

/** Of what was dumped: the owner must be able to restore all of it. @throws SourceError, with a TransientError if it may pass */
export async function mustBeOwnersToRestore(
  source: Source,
  job: RunningJob,
  { images }: Staging,
  { reopened }: Pick<OpenedFiles, 'reopened'>,
): Promise<void> {
  const cores = await readCores(images);
  if (typeof cores === 'string') throw passing(cores);
  const { credentials } = cores;
  const root = job.tree.root.nsPids.at(-1)!;
  if (ptraceScope(source.proc) === 1 && cores.endWithParent.has(root))
    throw new SourceError(
      "the job's first process ends with its parent (PR_SET_PDEATHSIG), and where kernel.yama.ptrace_scope is 1 its parent is a CRIU that ends",
    );
  const why = await whyNotTheOwner(source, job, credentials);
  if (why !== null) throw passing(why);
  const names = await namedPaths(images).catch((error: Error) => error.message);
  if (typeof names === 'string') throw new SourceError(`CRIU's images cannot be read: ${names}`);
  if (names.unfit !== null) throw new SourceError(`${names.unfit}, which cannot be restored`);
  // Not least CRIU itself, which runs as the owner there.
  const entries = [`pass ${source.config.criu}`, ...reopened].map((entry) => Buffer.from(entry));
  for (const path of names.watched) entries.push(Buffer.from(`read ${path}`, 'latin1'));
  for (const path of names.sockets) entries.push(Buffer.from(`bind ${path}`, 'latin1'));
  for (const path of names.peers) entries.push(Buffer.from(`connect ${path}`, 'latin1'));
  const ghosts = await readGhosts(images);
  if (typeof ghosts === 'string') throw new SourceError(`CRIU's images cannot be read: ${ghosts}`);
  for (const { path } of ghosts.values()) entries.push(Buffer.from(`make ${path}`, 'latin1'));
  await mustOpen(source, job, credentials, entries);
}

const passing = (why: string): SourceError => new SourceError(why, { cause: new TransientError(why) });

/** A program with rights of its own (set-group-id, file capabilities) may run in that moment. */
async function whyNotTheOwner(
  { exec }: Pick<Source, 'exec'>,
  { facts, tree }: RunningJob,
  { uid, gid, groups, inheritable, noNewPrivs }: Credentials,
): Promise<string | null> {
  if (uid !== facts.uid) return `the job runs as uid ${uid}, and belongs to uid ${facts.uid}`;
  if (gid !== tree.root.gid)
    return `a process of the job has the gid ${gid}, and its first has ${tree.root.gid}`;
  if ((inheritable & ~tree.root.inheritable) !== 0n)
    return 'a thread of the job has inheritable capabilities of its own';
  if (tree.root.noNewPrivs && !noNewPrivs) return 'a thread of the job has a way to new privileges';
  const lost = groupBeyond({ groups }, { gid, groups: await groupsOf(exec, uid, gid) });
  return lost === undefined ? null : `the job has the group ${lost}, which its owner has not on this node`;
}

async function mustOpen(
  { exec, config, proc, dumper }: Source,
  job: RunningJob,
  { uid, gid, groups }: Credentials,
  entries: readonly Buffer[],
): Promise<void> {
  const entry = await entryToJob(proc, job.tree);
  if (!entry.ok) throw new SourceError(`the job's files cannot be looked at: ${entry.message}`);
  const ids = ['--uid', String(uid), '--gid', String(gid), '--groups', groups.join(' ')];
  const result = await dumper.lanes.with((lane) =>
    exec.run({
      kind: `may-restore-${lane}`,
      file: config.helper,
      args: ['may-restore', ...ids, ...(entry.inside === null ? [] : ['--inside', String(entry.inside)])],
      stdin: Buffer.concat(entries.flatMap((each) => [each, Buffer.of(0)])),
      timeoutMs: TIMEOUT_MS,
    }),
  );
  const said = result.stdout.toString('utf8');
  // It says how many it has looked at.
  if (result.ok && said === `ok ${entries.length}\n`) return;
  if (!result.ok && result.why === 'exit' && result.exitCode === 1 && said !== '') {
    const why = `the job's owner could not restore it: ${said.slice(0, 2_000)}`;
    // A file that goes away just then is gone in the next moment.
    throw /: it is gone\b/.test(said) ? passing(why) : new SourceError(why);
  }
  const why = result.ok ? `${config.helper} gave no answer` : result.message;
  throw new SourceError(`the job's files cannot be looked at: ${why}`);
}
