import { join } from 'node:path';
import type { Exec } from '../../system/ports.ts';
import type { JobId, Millis } from '../../vocabulary/job.ts';
import { RUN_VERSION, type RunRecord, runSchema } from '../manifest.ts';
import { isRoots } from '../proc/process.ts';
import { pidsNow, processNow, wordsNow } from '../proc/process-sync.ts';
import { placesOf, RUN } from '../store/fs/places.ts';
import { fitting } from '../store/fs/record.ts';

/** `away`: it cannot be said. Else the newest run of each job, null where none is recorded. */
export type StoreLook =
  | { readonly type: 'away'; readonly why: string }
  | { readonly type: 'there'; readonly runs: ReadonlyMap<JobId, RunRecord | null> };

export interface StoreLooker {
  readonly exec: Exec;
  /** `/proc`. */
  readonly proc: string;
  readonly dir: string;
  readonly clusterId: string;
  readonly node: string;
  readonly timeoutMs: Millis;
}

const MOST_BYTES = 4_096;
/** The last word is there to be found on a command line. */
const FORMAT = '%f %u %h ckptd-fence';
/**
 * In a child, since a file system that hangs would keep a thread of this process for good. Each folder is asked for
 * at the file server, not in the node's own memory of it (`--cached`, coreutils 8.32), so that a server that is gone
 * is seen, and a record that is new.
 */
const SCRIPT = `
exec 2>&1
look() {
  stat --cached=never -c '${FORMAT}' -- "$1" 2>/dev/null || stat -c '${FORMAT}' -- "$1"
}
for path; do
  look "$path"
  case $path in
  */${RUN}) [ ! -f "$path" ] || head -c ${MOST_BYTES} -- "$path" | tr -d '\\n'; echo ;;
  esac
done
`;
/** Which has FORMAT and a path for words. It maps nothing but the system's own files. */
const PROGRAM = 'stat';

/**
 * Whether the store is there, and what it has of these jobs' runs. The folder of this node in it, which `marks` made,
 * tells the store from an empty mount point.
 */
export async function lookAtStore(looker: StoreLooker, jobs: readonly JobId[]): Promise<StoreLook> {
  const { exec, dir, clusterId, node, timeoutMs } = looker;
  const places = placesOf(dir, clusterId);
  if (await hangs(looker)) return away(`${dir} hangs`);
  const folders = [dir, places.cluster, places.node(node)];
  const perJob = jobs.flatMap((jobId) => [places.job(jobId), join(places.job(jobId), RUN)]);
  const result = await exec.run({
    kind: 'fence-store',
    file: '/bin/sh',
    args: ['-c', SCRIPT, 'sh', ...folders, ...perJob],
    timeoutMs,
    maxBytes: (3 + jobs.length) * 2 * MOST_BYTES,
  });
  if (!result.ok) return away(`${dir}: ${result.why === 'timeout' ? 'it does not answer' : result.message}`);
  const lines = result.stdout.toString('utf8').split('\n');
  for (const [at, folder] of folders.entries()) {
    const problem = folderProblem(lines[at]);
    if (problem !== null) return away(`${folder}: ${problem}`);
  }
  const runs = new Map<JobId, RunRecord | null>();
  for (const [at, jobId] of jobs.entries()) {
    const [folder, file, text = ''] = lines.slice(folders.length + 3 * at);
    const run = readRun(folder, file, text, { jobId, clusterId });
    if (typeof run === 'string') return away(`${join(places.job(jobId), RUN)}: ${run}`);
    runs.set(jobId, run);
  }
  return { type: 'there', runs };
}

const away = (why: string): StoreLook => ({ type: 'away', why: why.replace(/[^ -~]/g, '?').slice(0, 300) });

/** A child of an earlier look that not even SIGKILL has ended: one more would hang beside it. */
async function hangs({ proc, dir }: StoreLooker): Promise<boolean> {
  for await (const pid of pidsNow(proc)) {
    // Anybody may write such words on their own command line, or on a setuid program's.
    const process = processNow(proc, pid);
    if (!process || !isRoots(process) || process.name !== PROGRAM) continue;
    const words = wordsNow(proc, pid);
    // Another engine of this host, for another slurmd, may be looking at its own store just now.
    const isHere = words.some((word) => word === dir || word.startsWith(`${dir}/`));
    if (isHere && words.includes(FORMAT)) return true;
  }
  return false;
}

const NOT_THERE = /: No such file or directory$/;
const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;

/** Of a line of stat: mode in hexadecimal, owner, links. */
function readStat(line = ''): { mode: number; uid: number; links: number } | null {
  const [, mode, uid, links] = /^([0-9a-f]{1,8}) (\d{1,10}) (\d{1,10}) ckptd-fence$/.exec(line) ?? [];
  return mode === undefined
    ? null
    : { mode: Number.parseInt(mode, 16), uid: Number(uid), links: Number(links) };
}

/** As the store's own guard has it, but for the folders above the store. */
function folderProblem(line: string | undefined): string | null {
  const there = readStat(line);
  if (!there) return line?.split(': ').at(-1) || 'it cannot be looked at';
  if ((there.mode & S_IFMT) !== S_IFDIR) return 'it is not a folder';
  if (there.uid !== (process.geteuid?.() ?? 0)) return `it belongs to uid ${there.uid}`;
  return (there.mode & 0o022) === 0 ? null : 'it is writable by others';
}

/** The record, null for none, or what is wrong. */
function readRun(
  folder: string | undefined,
  file: string | undefined,
  text: string,
  ids: { readonly jobId: JobId; readonly clusterId: string },
): RunRecord | string | null {
  if (NOT_THERE.test(folder ?? '')) return null;
  const problem = folderProblem(folder);
  if (problem !== null) return problem;
  if (NOT_THERE.test(file ?? '')) return null;
  const there = readStat(file);
  if (!there || (there.mode & S_IFMT) !== S_IFREG || there.links !== 1) return 'it is not a plain file';
  if (there.uid !== (process.geteuid?.() ?? 0)) return `it belongs to uid ${there.uid}`;
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return 'it is damaged';
  }
  const shaped = fitting(runSchema, data);
  if ('problem' in shaped) return `it is damaged, or not of version ${RUN_VERSION}`;
  const { jobId, clusterId } = shaped.value;
  return jobId === ids.jobId && clusterId === ids.clusterId ? shaped.value : 'it is of another job';
}
