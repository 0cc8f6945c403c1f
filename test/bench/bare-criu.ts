import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RESTORE_OPTIONS } from '../../daemon/engine/criu/arguments.ts';
import { parseDumpStats } from '../../daemon/engine/criu/stats.ts';
import type { LabNode } from '../lab/lab.ts';

/** CRIU as it is, with the options that the engine gives it. The helper only sets its ids. */
const HELPER = '/usr/lib/ckptd/ckptd-criu run --uid 2000 --gid 2000 -- /usr/sbin/criu';
const OPTIONS = `${RESTORE_OPTIONS.join(' ')} --ghost-limit 1G --manage-cgroups=ignore -v2`;

/** Runs a command between two looks at the clock, inside the node; ms. */
async function timed(node: LabNode, command: string) {
  const script = `a=$EPOCHREALTIME
${command} || { echo "exit $?" >&2; exit 1; }
b=$EPOCHREALTIME
echo "$a $b"`;
  const { stdout } = await node.run(['bash', '-c', script], { timeoutMs: 300_000 });
  const [a, b] = stdout.trim().split('\n').at(-1)!.split(' ').map(Number);
  return (b! - a!) * 1000;
}

export interface BareDump {
  readonly wallMs: number;
  readonly frozenMs: number;
}

/** Makes a new folder on the node's disk. The memory of what was there before must not be at hand for the next dump. */
export async function clearBare(node: LabNode, folder: string): Promise<void> {
  await node.run(`rm -rf ${folder}; mkdir -p ${folder}; sync -f ${folder}`);
}

/** A dump of the tree of `pid`, which runs on, into an empty folder of the node's disk. */
export async function bareDump(node: LabNode, pid: number, folder: string): Promise<BareDump> {
  const dump = `${HELPER} dump --tree ${pid} --images-dir ${folder} --log-file dump.log --leave-running ${OPTIONS}`;
  const wallMs = await timed(node, dump);
  const stats = parseDumpStats(await readFile(join(node.rootPath, folder, 'stats-dump')));
  if (!stats) throw new Error(`${folder} has no statistics`);
  return { wallMs, frozenMs: (stats.freezingUs + stats.frozenUs) / 1000 };
}

/** What comes next without an engine: the images go to the shared file system, for good; ms. */
export async function bareCopy(node: LabNode, folder: string, to: string): Promise<number> {
  const ms = await timed(node, `{ cp -r ${folder} ${to} && sync -f ${to}; }`);
  await node.run(`rm -rf ${to}; sync -f /shared`);
  return ms;
}

/** A restore of those images in a pid namespace of its own, which is killed right after it; ms. */
export function bareRestore(node: LabNode, folder: string): Promise<number> {
  const restore = `${HELPER} restore --images-dir ${folder} --log-file restore.log --restore-detached ${OPTIONS}`;
  const inside = `unshare --pid --mount --mount-proc --fork --kill-child bash -c '
    a=$EPOCHREALTIME; ${restore} </dev/null >/dev/null 2>&1 || { grep Error ${folder}/restore.log >&2; exit 1; }
    b=$EPOCHREALTIME; echo "$a $b"'`;
  return node.run(['bash', '-c', inside], { timeoutMs: 300_000 }).then(({ stdout }) => {
    const [a, b] = stdout.trim().split(' ').map(Number);
    return (b! - a!) * 1000;
  });
}
