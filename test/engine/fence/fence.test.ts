import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockJob } from '../../../daemon/engine/checkpoint/job-lock.ts';
import { Table } from '../../../daemon/engine/checkpoint/table.ts';
import { startFence } from '../../../daemon/engine/fence/fence.ts';
import type { FencePorts } from '../../../daemon/engine/fence/ports.ts';
import { createFreezer } from '../../../daemon/engine/proc/cgroup-freezer.ts';
import { slurmCommands } from '../../../daemon/slurm/commands.ts';
import type { CommandResult } from '../../../daemon/system/ports.ts';
import { systemExec } from '../../../daemon/system/process/exec.ts';
import { ManualClock } from '../../support/clock.ts';
import { type FakeSlurm, fakeSlurm } from '../../support/fake-slurm/fake-slurm.ts';
import { CLUSTER, put, type Scene, scene } from '../store/support.ts';
import { FakeNode } from '../support/fake-node.ts';
import { hangThreads } from '../support/hung-threads.ts';
import { says } from '../support/rig.ts';

/** SlurmdTimeout of the scripted Slurm. */
const TIMEOUT = 60_000;
const PERIOD = 15_000;
const LOOK = 5_000;
/** Boot of the fake node: its batch task began 7 s later. */
const BOOT = 1_795_000_000_000;
const REFUSED = says('slurm_load_slurmd_status: Connection refused\n');

let node: FakeNode;
let slurm: FakeSlurm;
let it: Scene;
let clock: ManualClock;
let table: Table;
let stop: AbortController;
let signals: string[];
let ended: number[];
/** What becomes of a job's end in the rest of the engine. */
let noted: () => Promise<void>;
let settling: Promise<void> | undefined;
/** When slurmctld was last heard by slurmd; null: slurmd is dead. */
let heardAt: number | null;
let fence: ReturnType<typeof startFence> | undefined;

beforeEach(async () => {
  node = await FakeNode.make();
  mkdirSync(join(node.dir, 'run'), { recursive: true });
  writeFileSync(join(node.proc, 'stat'), `btime ${BOOT / 1000}\n`);
  slurm = await fakeSlurm();
  setTimeoutTo(60);
  await slurm.setJob(7);
  it = scene();
  await put(it.store, 7);
  await it.store.upkeep.settleIn();
  clock = new ManualClock();
  table = new Table();
  stop = new AbortController();
  [signals, ended] = [[], []];
  noted = async () => {};
  heardAt = clock.now();
});
afterEach(async () => {
  stop.abort();
  await fence?.[Symbol.asyncDispose]();
  await slurm[Symbol.asyncDispose]();
  await node[Symbol.asyncDispose]();
  it[Symbol.dispose]();
});

function setTimeoutTo(seconds: number): void {
  const conf = join(slurm.dir, 'state/conf');
  writeFileSync(conf, readFileSync(conf, 'utf8').replace(/\d+ sec/, `${seconds} sec`));
}

function slurmdSays(): CommandResult {
  if (heardAt === null) return REFUSED;
  const last = Math.floor(heardAt / 1000);
  return { ok: true, stdout: Buffer.from(`Boot time = 1795000000\nLast slurmctld msg time  = ${last}\n`) };
}

function start(): void {
  const kill = (pid: number, name: NodeJS.Signals) => {
    signals.push(`${name} ${pid}`);
    rmSync(join(node.proc, String(pid)), { recursive: true, force: true });
  };
  const real = systemExec();
  const ports: FencePorts = {
    config: {
      clusterId: CLUSTER,
      dir: it.dir,
      runDir: join(node.dir, 'run'),
      slurm: { node: 'n1', bin: slurm.bin, conf: '/none' },
    },
    store: {
      claimRun: it.store.claimRun,
      upkeep: {
        settleIn() {
          settling = it.store.upkeep.settleIn();
          return settling;
        },
      },
    },
    exec: {
      run: async (command, signal) =>
        command.kind === 'scontrol-slurmd' ? slurmdSays() : real.run(command, signal),
    },
    slurm: slurmCommands(slurm.bin, 4_000),
    clock,
    log: it.log,
    freezer: createFreezer({ clock, proc: node.proc, signal: kill }),
    proc: node.proc,
    signal: kill,
    lockJob: (jobId, what, withinMs) => lockJob(clock, table, { jobId, what, withinMs }),
    ended(jobId) {
      ended.push(jobId);
      return noted();
    },
  };
  stop = new AbortController();
  fence = startFence(ports, stop.signal);
}

/** The engine that was there ends. */
async function restart(): Promise<void> {
  stop.abort();
  await fence?.[Symbol.asyncDispose]();
  table = new Table();
  start();
}

/** Time passes; the last turn that began is over. */
async function pass(ms: number): Promise<void> {
  await clock.run(ms);
  await clock.whenSleeping();
}

/** Turns until Slurm has been silent for so many times SlurmdTimeout. */
const silentFor = (times: number) => pass(TIMEOUT * times);

const asked = async () => (await slurm.calls('squeue')).length;
const said = (level: string) =>
  it.log.lines.filter((line) => line.level === level).map(({ message }) => message);
const notes = () =>
  existsSync(join(node.dir, 'run/fenced')) ? readdirSync(join(node.dir, 'run/fenced')) : [];
const elsewhere = { State: 'RUNNING', NodeList: 'n2', BatchHost: 'n2', RestartCnt: 1 } as const;
/** The other node's engine began the next run. */
const recorded = (startedAt = clock.now()) =>
  it.other('n2').writeRun({ version: 1, jobId: 7, clusterId: CLUSTER, restarts: 1, node: 'n2', startedAt });
async function hideStore(): Promise<void> {
  // What makes this node's folder does not wait for its turn's end.
  await settling;
  renameSync(it.cluster, `${it.cluster}.away`);
}
const showStore = () => renameSync(`${it.cluster}.away`, it.cluster);

test('while slurmctld is heard, as seldom as it pings a healthy node, Slurm is asked for nothing but its timeout', async () => {
  start();
  for (let times = 0; times < 6; times++) {
    await silentFor(2 / 3);
    heardAt = clock.now();
  }
  expect(await asked()).toBe(0);
  expect((await slurm.calls()).map((call) => call.join(' '))).toEqual(['scontrol show config']);
  expect(said('warn')).toEqual([]);
});

test('without a job here not even slurmd is asked', async () => {
  await node.remove(70);
  await node.remove(71);
  heardAt = null;
  start();
  await silentFor(3);
  expect([await asked(), said('warn')]).toEqual([0, []]);
});

test('slurmd is dead: a run is ended once Slurm has said twice that it waits for its next one', async () => {
  start();
  await pass(PERIOD);
  heardAt = null;
  await pass(PERIOD);
  expect(said('warn')).toEqual(['Slurm may take this node for dead']);
  // It is ours for as long as Slurm has not given the node up.
  await silentFor(2);
  expect([signals, said('error')]).toEqual([[], []]);
  await slurm.setJob(7, { State: 'PENDING', BatchHost: 'n/a', NodeList: '', RestartCnt: 1 });
  await pass(LOOK);
  expect(signals).toEqual([]);
  await pass(LOOK);
  expect(signals.sort()).toEqual(['SIGKILL 60', 'SIGKILL 70', 'SIGKILL 71']);
  expect(said('warn').at(-1)).toBe('job 7 runs anew: its old run on this node was ended');
  expect([ended, notes(), table.workOn(7)]).toEqual([[7], [], null]);
});

test.each<[string, () => Promise<void>, string[]]>([
  ['never comes to an end', () => new Promise(() => {}), []],
  ['fails', () => Promise.reject(new Error('a disk')), ['job 7: its end could not be noted']],
])(
  'what the engine notes of a run that was ended keeps the fence from no other run where it %s',
  async (_, note, errors) => {
    noted = note;
    await slurm.setJob(7, elsewhere);
    heardAt = null;
    start();
    await pass(PERIOD + 2 * LOOK);
    expect([signals.sort(), ended]).toEqual([['SIGKILL 60', 'SIGKILL 70', 'SIGKILL 71'], [7]]);
    await node.add({ pid: 60, ppid: 1, name: 'slurmstepd', uid: 0, cgroup: '/slurm_n1/uid_1500/job_7' });
    await node.add({ pid: 70, ppid: 60, name: 'slurm_script', startTime: 99_000 });
    await pass(2 * PERIOD);
    expect([signals.slice(3).sort(), ended]).toEqual([
      ['SIGKILL 60', 'SIGKILL 70'],
      [7, 7],
    ]);
    expect([...new Set(said('error'))]).toEqual(errors);
  },
);

test('a word that Slurm takes back ends nothing', async () => {
  heardAt = null;
  start();
  await pass(PERIOD);
  for (let times = 0; times < 4; times++) {
    await slurm.setJob(7, elsewhere);
    await pass(LOOK);
    await slurm.setJob(7);
    await pass(LOOK);
  }
  expect(signals).toEqual([]);
});

test('another run than the one of the first look is looked at twice itself', async () => {
  heardAt = null;
  start();
  await pass(PERIOD);
  await slurm.setJob(7, elsewhere);
  await pass(LOOK);
  await node.add({ pid: 70, ppid: 60, name: 'slurm_script', startTime: 99_000 });
  await pass(LOOK);
  expect(signals).toEqual([]);
  await pass(LOOK);
  expect(signals).toContain('SIGKILL 70');
});

test.each(['CANCELLED', 'COMPLETED', 'NODE_FAIL', 'COMPLETING'])(
  'a job that is %s is left to Slurm: nobody runs a second copy',
  async (State) => {
    await slurm.setJob(7, { State });
    heardAt = null;
    start();
    await silentFor(2);
    expect([signals, said('error')]).toEqual([[], []]);
  },
);

test('Slurm cannot be asked: the newer run in the store ends the one here at the first look', async () => {
  start();
  await pass(PERIOD);
  await slurm.setMode('away');
  await silentFor(1);
  expect(signals).toEqual([]);
  await recorded();
  await pass(LOOK);
  expect(signals.sort()).toEqual(['SIGKILL 60', 'SIGKILL 70', 'SIGKILL 71']);
  expect(it.log.lines.at(-1)?.fields).toEqual({
    job_id: 7,
    why: 'Slurm cannot be asked, and n2 has begun a newer run (restart 1)',
  });
});

test('slurmctld is down, and the store is there: nothing is frozen or ended, however long', async () => {
  await recorded(BOOT);
  start();
  await pass(PERIOD);
  await slurm.setMode('away');
  await silentFor(5);
  expect([signals, said('error'), await node.freezerState()]).toEqual([[], [], 'THAWED']);
  // It is asked less and less often.
  expect(await asked()).toBeLessThan((5 * TIMEOUT) / 30_000 + 5);
});

test('a run without a record is recorded, for the node that gets the job next', async () => {
  await it.store.removeJob(7, 'test');
  start();
  await pass(PERIOD);
  await slurm.setMode('away');
  await silentFor(1);
  await expect.poll(() => it.store.readRun(7)).toMatchObject({ node: 'n1', startedAt: BOOT + 7_000 });
});

test('cut off from all: frozen once Slurm may give the job away, and not before', async () => {
  start();
  await pass(PERIOD);
  await slurm.setMode('away');
  await hideStore();
  heardAt = clock.now();
  await pass(TIMEOUT);
  expect(await node.freezerState()).toBe('THAWED');
  await pass(2 * LOOK);
  expect(await node.freezerState()).toBe('FROZEN');
  expect(said('error')).toEqual([
    'job 7 stands frozen: this node is cut off, and Slurm may run it elsewhere',
  ]);
  expect(notes()).toEqual(['7.json']);
  expect(table.workOn(7)?.what).toContain('cut off');
  await silentFor(3);
  expect(said('error')).toHaveLength(1);
  expect(signals).toEqual([]);
});

test('a store that keeps every thread of Node’s as well: frozen all the same, and ended once it is given away', async () => {
  start();
  await pass(PERIOD);
  await slurm.setMode('away');
  await hideStore();
  {
    await using _ = hangThreads();
    await silentFor(1.2);
    expect(readFileSync(join(node.step, 'freezer.state'), 'utf8').trim()).toBe('FROZEN');
  }
  showStore();
  await recorded();
  await using _ = hangThreads();
  await pass(PERIOD);
  expect(signals.sort()).toEqual(['SIGKILL 60', 'SIGKILL 70', 'SIGKILL 71']);
});

async function frozen(): Promise<void> {
  start();
  await pass(PERIOD);
  await slurm.setMode('away');
  await hideStore();
  await silentFor(1.2);
  expect(await node.freezerState()).toBe('FROZEN');
}

test.each<[string, () => Promise<void> | void]>([
  ['slurmctld is there again, and the job ours', () => slurm.setMode('well')],
  ['the store is there again, without a newer run', showStore],
  [
    'Slurm says that the job is over',
    async () => {
      await slurm.setJob(7, { State: 'NODE_FAIL' });
      await slurm.setMode('well');
    },
  ],
])('what is frozen runs on where %s', async (_, heal) => {
  await frozen();
  await heal();
  await pass(40_000);
  expect([await node.freezerState(), signals, notes(), table.workOn(7)]).toEqual(['THAWED', [], [], null]);
  expect(said('warn').at(-1)).toBe('job 7 was frozen, and runs on');
});

test.each<[string, () => Promise<void> | void]>([
  [
    'Slurm',
    async () => {
      await slurm.setJob(7, elsewhere);
      await slurm.setMode('well');
      heardAt = clock.now() + 1e9;
    },
  ],
  [
    'the store',
    async () => {
      showStore();
      await recorded();
    },
  ],
])('what is frozen is ended, and runs no line before, where %s has given it away', async (_, heal) => {
  await frozen();
  await heal();
  await pass(45_000);
  expect(signals.sort()).toEqual(['SIGKILL 60', 'SIGKILL 70', 'SIGKILL 71']);
  expect(said('warn')).not.toContain('job 7 was frozen, and runs on');
  expect(notes()).toEqual([]);
});

test('slurmctld is heard again before it can be asked: what is frozen stays so', async () => {
  await frozen();
  heardAt = clock.now() + 1e9;
  await pass(PERIOD);
  expect(await node.freezerState()).toBe('FROZEN');
});

test('until slurmctld has said how long it waits, Slurm’s default of 300 s holds', async () => {
  await slurm.setMode('away');
  start();
  await pass(PERIOD);
  await hideStore();
  await pass(295_000 - PERIOD);
  expect(await node.freezerState()).toBe('THAWED');
  await pass(15_000);
  expect(await node.freezerState()).toBe('FROZEN');
});

test('what slurmctld has said before holds for an engine that is started while it is away', async () => {
  start();
  await pass(PERIOD);
  await slurm.setMode('away');
  await hideStore();
  await restart();
  await pass(TIMEOUT - 2 * PERIOD);
  expect(await node.freezerState()).toBe('THAWED');
  await pass(2 * PERIOD);
  expect(await node.freezerState()).toBe('FROZEN');
});

test.each(['', 'x\n', '-1\n', '99999999999\n', '1e3\n'])(
  'a note of it that is damaged is none: %j',
  async (text) => {
    await slurm.setMode('away');
    writeFileSync(join(node.dir, 'run/slurmd-timeout'), text);
    start();
    await pass(PERIOD);
    await hideStore();
    await pass(250_000);
    expect(await node.freezerState()).toBe('THAWED');
  },
);

test('an engine that is killed meanwhile is followed by one that decides anew', async () => {
  await frozen();
  await restart();
  await pass(PERIOD);
  expect([await node.freezerState(), table.workOn(7)?.what]).toEqual([
    'FROZEN',
    expect.stringContaining('cut off'),
  ]);
  await slurm.setMode('well');
  heardAt = clock.now();
  await restart();
  await pass(PERIOD);
  expect([await node.freezerState(), notes()]).toEqual(['THAWED', []]);
});

test('a note that is damaged is said, and one of a run that is gone is forgotten', async () => {
  const folder = join(node.dir, 'run/fenced');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, '8.json'), '{');
  const gone = {
    jobId: 9,
    version: 1,
    folder: '/sys/none/job_9',
    task: { pid: 999, startTime: 1 },
    startedAt: 1,
  };
  writeFileSync(join(folder, '9.json'), JSON.stringify(gone));
  writeFileSync(join(folder, '10.json.new'), '{');
  start();
  await pass(PERIOD);
  expect(notes()).toEqual(['8.json']);
  expect(said('error')).toEqual(['a job may stand frozen: thaw its cgroup by hand']);
});

test('a dump under way is let to its end before the run is', async () => {
  await slurm.setJob(7, elsewhere);
  heardAt = null;
  const free = table.take(7, 'checkpoint x');
  start();
  // Two looks, and it waits for the dump.
  await clock.run(15_000);
  await clock.whenSleeping();
  expect([signals, table.workOn(7)?.what]).toEqual([[], 'checkpoint x']);
  free();
  await expect.poll(() => signals).toEqual(['SIGKILL 60']);
  await clock.run(1_000);
  expect(signals.sort()).toEqual(['SIGKILL 60', 'SIGKILL 70', 'SIGKILL 71']);
});

test('a dump that hangs does not keep two copies alive', async () => {
  await slurm.setJob(7, elsewhere);
  heardAt = null;
  table.take(7, 'checkpoint x');
  start();
  await pass(60_000);
  expect(signals).toContain('SIGKILL 70');
});

test('SlurmdTimeout 0: Slurm gives no node up', async () => {
  setTimeoutTo(0);
  await slurm.setJob(7, elsewhere);
  heardAt = null;
  start();
  await silentFor(2);
  expect([await asked(), signals]).toEqual([0, []]);
});

test('where Slurm goes on calling the job ours, it is asked once a minute', async () => {
  heardAt = null;
  start();
  await silentFor(6.5);
  const before = await asked();
  await pass(600_000);
  expect((await asked()) - before).toBeLessThanOrEqual(11);
}, 60_000);

test('a /proc that cannot be read is said once, and looked at again', async () => {
  renameSync(join(node.proc, 'self'), join(node.proc, 'other'));
  start();
  await silentFor(1);
  expect(said('error')).toHaveLength(1);
  renameSync(join(node.proc, 'other'), join(node.proc, 'self'));
  await slurm.setJob(7, elsewhere);
  heardAt = null;
  await pass(2 * PERIOD);
  expect(signals).toContain('SIGKILL 70');
});
