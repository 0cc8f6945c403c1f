/*
 * What the engine adds to CRIU: a checkpoint beside a bare `criu dump` of the same job, a restore beside a bare
 * `criu restore` of the same memory, the size of images, and how long a move by a drain takes.
 *
 * Bare is CRIU with the options that the engine gives it, on the same disk. Both are run in turn, and each finds the
 * machine as the other did (prefault-memory.ts). The lab's shared file system is that disk, too.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest } from '../../daemon/engine/manifest.ts';
import { CLUSTER_ID } from '../cluster/ckptd-lab.ts';
import { ENGINE_SOCKET, EngineLab, STORE } from '../cluster/engine-lab.ts';
import { type LabNode, until } from '../lab/lab.ts';
import { bareCopy, bareDump, bareRestore, clearBare } from './bare-criu.ts';
import {
  type Checkpoints,
  type Drained,
  type Measured,
  MODES,
  type Mode,
  type Restored,
  type Size,
  tellCheckpoints,
  tellDrains,
  tellRestores,
} from './engine-figures.ts';
import type { CheckpointTimed } from './inside/time-checkpoint.ts';
import { prefaultMemory } from './prefault-memory.ts';
import type { Section } from './report.ts';
import { INSIDE, NODE } from './time-inside.ts';

const SIZES: readonly Size[] = [
  { what: 'a shell, 1 MB', program: 'count.sh', megabytes: 1, dumps: 5 },
  { what: '100 MB of chance', program: 'heap.py', megabytes: 100, dumps: 5 },
  { what: '500 MB of chance', program: 'heap.py', megabytes: 500, dumps: 3 },
  { what: '500 MB of text', program: 'heap.py', megabytes: 500, text: true, dumps: 2 },
  { what: '2 GB of chance', program: 'heap.py', megabytes: 2_000, dumps: 2 },
];
const RESTORES = 3;
const DRAINS = 20;
const BARE = '/var/lib/bare';

export const engine: Section = {
  name: 'engine',
  title: 'what the engine adds to CRIU, and how long a move takes',
  async run(report) {
    await using cluster = await EngineLab.start({
      config: { heartbeat: { every: '7d' }, slurm: { poll_node: '1s', rescan_jobs: '2s' } },
      binds: [INSIDE],
    });
    const measured: Measured[] = [];
    for (const size of SIZES) {
      const found = await measure(cluster, size);
      measured.push(found);
      report.say(
        `${size.what}: ${3 * size.dumps} bare dumps and as many checkpoints, ${RESTORES} restores of each kind`,
      );
    }
    const fresh = await freshStarts(cluster);
    tellCheckpoints(report, measured);
    tellRestores(report, measured, fresh);
    tellDrains(report, await drains(cluster));
  },
};

async function measure(cluster: EngineLab, size: Size): Promise<Measured> {
  const { lab } = cluster;
  const memory = `--mem=${Math.max(100, Math.ceil(size.megabytes * 1.2) + 100)}`;
  const env = { MB: `${size.megabytes}`, FILL: size.text ? 'text' : 'chance' };
  const id = await cluster.submit(size.program, { options: [memory], env });
  const { BatchHost: name = '' } = await lab.waitForJob(id, 'RUNNING');
  const node = lab.node(name);
  await cluster.counts(id, 3, 180_000);
  const pid = await batchPid(node, id);
  const found: Measured = {
    size,
    bareMs: [],
    byHandMs: [],
    bareFrozenMs: [],
    by: { none: nothing(), moved: nothing(), zstd: nothing() },
    bareRestoreMs: [],
    restored: [],
  };
  const level = () => prefaultMemory(node, size.megabytes);
  for (const mode of MODES) {
    await setMode(cluster, mode);
    for (let dump = 0; dump < size.dumps; dump++) {
      await clearBare(node, BARE);
      await level();
      const bare = await bareDump(node, pid, BARE);
      found.bareMs.push(bare.wallMs);
      found.byHandMs.push(bare.wallMs + (await bareCopy(node, BARE, '/shared/bare')));
      found.bareFrozenMs.push(bare.frozenMs);
      await level();
      await engineDump(cluster, node, id, found.by[mode]);
    }
  }
  const rollBack = await dumpAtRest({ node, id, pid });
  for (let restore = 1; restore <= RESTORES; restore++) {
    await level();
    found.restored.push(await moveOnce(cluster, id, restore));
  }
  await lab.ctl.run(['scancel', `${id}`]);
  await lab.waitForJob(id, 'CANCELLED');
  await rollBack();
  for (let restore = 1; restore <= RESTORES; restore++) {
    await level();
    found.bareRestoreMs.push(await bareRestore(node, BARE));
  }
  return found;
}

const nothing = (): Checkpoints => ({ readyMs: [], frozenMs: [], storedMb: 0 });

/**
 * A bare dump while the job stands still; returns what gives its files the size again that CRIU looks for. Stopped by
 * hand: two seconds after `scontrol suspend` Slurm freezes the cgroup, and CRIU waits for ever for what it stops there.
 */
async function dumpAtRest({
  node,
  id,
  pid,
}: {
  node: LabNode;
  id: number;
  pid: number;
}): Promise<() => Promise<unknown>> {
  await node.run(['kill', '-STOP', `${pid}`]);
  await until(async () => (await node.run(['ps', '-o', 'stat=', '-p', `${pid}`])).stdout.startsWith('T'), {
    what: 'the job to stand still',
  });
  await clearBare(node, BARE);
  await bareDump(node, pid, BARE);
  const { stdout } = await node.run(`stat -c 'truncate -s %s %n' /shared/*-${id}`);
  await node.run(['kill', '-CONT', `${pid}`]);
  return () => node.run(stdout);
}

async function batchPid(node: LabNode, id: number): Promise<number> {
  const { stdout } = await node.run(['scontrol', 'listpids', `${id}`]);
  const row = stdout.split('\n').map((line) => line.trim().split(/\s+/));
  return Number(row.find(([, , step, task]) => step === 'batch' && task === '0')?.[0]);
}

async function setMode(cluster: EngineLab, mode: Mode): Promise<void> {
  for (const node of cluster.lab.nodes) {
    const keys = [`compress: ${mode === 'zstd' ? 'zstd' : 'none'}`];
    // A mount of its own would be another file system to link(2).
    if (mode === 'moved') keys.push(`work_dir: /shared/work-${node.name}`);
    await node.run(`sed -i '/^compress:/d;/^work_dir:/d' /etc/ckptd/engine.yaml
      printf '%s\\n' ${keys.map((key) => `'${key}'`).join(' ')} >>/etc/ckptd/engine.yaml
      systemctl restart ckptd-engine`);
  }
}

async function engineDump(cluster: EngineLab, node: LabNode, id: number, into: Checkpoints): Promise<void> {
  const folder = `${STORE}/${CLUSTER_ID}/${id}`;
  const timing = JSON.stringify({ socket: ENGINE_SOCKET, jobId: id, folder });
  const { stdout } = await node.run([NODE, '/bench/time-checkpoint.ts'], {
    input: timing,
    timeoutMs: 180_000,
  });
  const { actionId, readyMs } = JSON.parse(stdout) as CheckpointTimed;
  const manifest = await manifestOf(cluster, id, actionId);
  into.readyMs.push(readyMs);
  into.frozenMs.push(manifest.frozenMs);
  into.storedMb = manifest.images.reduce((sum, { storedBytes }) => sum + storedBytes, 0) / 1e6;
}

async function manifestOf(cluster: EngineLab, id: number, actionId: string): Promise<Manifest> {
  const path = `${STORE}/${CLUSTER_ID}/${id}/${actionId}/manifest.json`;
  return JSON.parse(await cluster.lab.nodes[0]!.readFile(path)) as Manifest;
}

/** Lets the engine send a job to another node by hand, and reads what the logs there say of its restore. */
async function moveOnce(cluster: EngineLab, id: number, restarts: number): Promise<Restored> {
  const { lab } = cluster;
  const { BatchHost: from = '' } = await lab.job(id);
  const [newest] = (await cluster.ready(lab.node(from), id)).slice(-1);
  await lab.ctl.run(['scontrol', 'update', `nodename=${from}`, 'state=drain', 'reason=maintenance']);
  const { status, text } = await cluster.askRestore(lab.node(from), newest!);
  if (status !== 200) throw new Error(`the restore of job ${id} was refused: ${text}`);
  await cluster.moved(id, from, restarts, 180_000);
  await lab.resume(from);
  const { BatchHost: to = '' } = await lab.job(id);
  return restoredOn(cluster, lab.node(to), id, restarts);
}

async function restoredOn(
  cluster: EngineLab,
  node: LabNode,
  id: number,
  restarts: number,
): Promise<Restored> {
  const [planned, runs] = await Promise.all(
    ['is restored from', 'goes on from'].map((what) => engineSaid(node, { id, restarts, what })),
  );
  const launched = await launchOf(cluster, node, id);
  return { plannedMs: planned! - launched, runsMs: runs! - launched };
}

/** When the engine said it, in ms since the epoch. */
async function engineSaid(
  node: LabNode,
  { id, restarts, what }: { id: number; restarts: number; what: string },
): Promise<number> {
  const said = async () => {
    const lines = (await node.journal('ckptd-engine')).split('\n').filter((line) => line.startsWith('{'));
    const entries = lines.map(
      (line) => JSON.parse(line) as { time: number; job_id?: number; restarts?: number; msg: string },
    );
    return entries.findLast(
      (entry) => entry.job_id === id && entry.restarts === restarts && entry.msg.includes(what),
    )?.time;
  };
  return until(said, { what: `the engine on ${node.name} to say that job ${id} ${what}`, timeoutMs: 60_000 });
}

/** When slurmd on that node last launched the job: its log has milliseconds, in UTC as the nodes are. */
async function launchOf(cluster: EngineLab, node: LabNode, id: number): Promise<number> {
  const log = await cluster.log(node, 'slurmd');
  const line = log.split('\n').findLast((each) => each.includes(`Launching batch job ${id} `));
  const at = /^\[(\S+?)\]/.exec(line ?? '')?.[1];
  return Date.parse(`${at}Z`);
}

/** From slurmd's launch to the first line of a job that has no checkpoint: Slurm's own part. */
async function freshStarts(cluster: EngineLab): Promise<number[]> {
  const found: number[] = [];
  for (let job = 0; job < RESTORES; job++) {
    const id = await cluster.submit('#!/bin/sh\ndate +%s%3N\n');
    const { BatchHost: node = '' } = await cluster.lab.waitForJob(id, 'COMPLETED');
    const launched = await launchOf(cluster, cluster.lab.node(node), id);
    found.push(Number(await cluster.output(id)) - launched);
  }
  return found;
}

async function drains(cluster: EngineLab): Promise<Drained[]> {
  const { lab } = cluster;
  const id = await cluster.running('count.sh');
  const found: Drained[] = [];
  for (let restarts = 1; restarts <= DRAINS; restarts++) {
    const { BatchHost: from = '' } = await lab.job(id);
    const at = Date.now();
    await cluster.moveAway(lab.node(from), [id]);
    const { BatchHost: to = '' } = await lab.job(id);
    const runsAt = await engineSaid(lab.node(to), { id, restarts, what: 'goes on from' });
    const newest = (await cluster.ready(lab.node(to), id)).at(-1)!;
    found.push({ movedMs: runsAt - at, stillMs: runsAt - (await manifestOf(cluster, id, newest)).takenAt });
  }
  await writeFile(join(lab.shared, `finish-${id}`), '');
  return found;
}
