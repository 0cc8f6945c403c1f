import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { createCheckpointer } from '../../../daemon/engine/checkpointer.ts';
import type { EngineConfig } from '../../../daemon/engine/config/config.ts';
import type { Checkpointer, Store } from '../../../daemon/engine/ports.ts';
import { createStore } from '../../../daemon/engine/store/store.ts';
import type { Clock, Command, CommandResult, Exec } from '../../../daemon/system/ports.ts';
import { systemExec } from '../../../daemon/system/process/exec.ts';
import { until } from '../../lab/until.ts';
import { type FakeSlurm, fakeSlurm } from '../../support/fake-slurm/fake-slurm.ts';
import { recordingLog } from '../../support/log.ts';
import { coreImage, ordinary } from '../criu/images/made-images.ts';
import { PROGRAM } from '../owner/program/support.ts';
import { FakeNode } from './fake-node.ts';

export const CLUSTER = '0b7e1d3c-5a52-4c54-9c1e-3d0d6e3f2a10';
const STATS =
  '40591055063309572400' +
  '00000a2208ad0210c7dc0118dc0b20af0228a2013000386a40004800501058106000' +
  '68007000';
const RECORD = `exe 70 8:1 1 100755 /usr/bin/bash
fd 70 1 102001 0:99 17 24 100644 1 /net/out
end 2
`;

/** The source's side of an engine on a node of files: real store, scripted Slurm and CRIU, time that passes at once. */
export class Rig implements AsyncDisposable {
  readonly node: FakeNode;
  readonly slurm: FakeSlurm;
  readonly config: EngineConfig;
  readonly store: Store;
  readonly log = recordingLog();
  /** Signals that were sent, as `SIGKILL 70`. */
  readonly signals: string[] = [];
  /** What a command meets instead of its program, or before it; by its kind. */
  readonly before = new Map<string, (command: Command) => Promise<CommandResult | undefined>>();
  /** Whether what is under way takes longer than it should. */
  isLate = false;
  checkpointer: Checkpointer;
  #end = new AbortController();

  private constructor(node: FakeNode, slurm: FakeSlurm) {
    this.node = node;
    this.slurm = slurm;
    this.config = configOf(node, slurm);
    this.store = createStore({ ...this.config, node: 'n1', log: this.log });
    this.checkpointer = this.#start();
  }

  /** Job 7 runs on n1. */
  static async make(): Promise<Rig> {
    const node = await FakeNode.make();
    const slurm = await fakeSlurm();
    await slurm.setJob(7);
    const rig = new Rig(node, slurm);
    await mkdir(rig.config.dir, { mode: 0o700 });
    await writeFile(
      join(node.proc, 'self/mountinfo'),
      `10 1 8:1 / / rw - ext4 /dev/a rw\n11 1 0:34 / ${node.dir}/freezer rw - cgroup cgroup rw,freezer\n12 1 0:99 / /net rw - nfs4 s:/ rw\n13 1 0:20 / /proc rw - proc proc rw\n`,
    );
    await copyFile(join(import.meta.dirname, 'fake-criu.sh'), rig.config.helper);
    await writeFile(rig.config.criu, '#!/bin/sh\necho "Version: 4.1.1"\n', { mode: 0o755 });
    await rig.leaves('stats', Buffer.from(STATS, 'hex'));
    await rig.leaves('record', RECORD);
    await rig.leaves('core-70.img', coreImage(ordinary(1500, 1500, [1500, 27])));
    rig.before.set('id', async () => ({ ok: true, stdout: Buffer.from('1500 27\n'), stderr: '' }));
    return rig;
  }

  #start(): Checkpointer {
    const ports = {
      config: this.config,
      store: this.store,
      exec: this.#exec(),
      clock: quickClock(() => this.isLate),
      log: this.log,
      signal: this.#end.signal,
    };
    return createCheckpointer(ports, {
      proc: this.node.proc,
      signal: (pid, name) => void this.signals.push(`${name} ${pid}`),
    });
  }

  #exec(): Exec {
    const real = systemExec();
    return {
      run: async (command, signal) =>
        (await this.before.get(command.kind)?.(command)) ?? real.run(command, signal),
    };
  }

  /** The engine's signal, as at SIGTERM. */
  stop(): void {
    this.#end.abort();
  }

  get stopping(): boolean {
    return this.#end.signal.aborted;
  }

  /** A new engine on the same node; the old one hears of nothing any more. */
  restart(): void {
    this.#end.abort();
    this.#end = new AbortController();
    this.checkpointer = this.#start();
  }

  /** A file beside the scripted CRIU. */
  async leaves(
    name: 'stats' | 'record' | 'core-70.img' | 'mode' | 'go' | 'files.img' | 'refuses',
    content: string | Uint8Array,
  ): Promise<void> {
    await writeFile(join(this.node.dir, name), content);
  }

  /** What the job's owner was last asked for, sorted: entries of `ckptd-criu may-restore`; and its arguments. */
  async looked(): Promise<{ args: string; entries: string[] } | null> {
    const text = await readFile(join(this.node.dir, 'looked'), 'latin1').catch(() => null);
    const [args, ...entries] = text?.split('\n').slice(0, -1) ?? [];
    return args === undefined ? null : { args, entries: entries.toSorted() };
  }

  /** `ROOT --leave-…` of each dump, and the capabilities of one that its owner made. */
  async dumps(): Promise<string[]> {
    const text = await readFile(join(this.node.dir, 'calls'), 'utf8').catch(() => '');
    return text.split('\n').slice(0, -1);
  }

  ask(kind: 'simple' | 'rootfs' | 'rootfsonly' = 'simple') {
    return this.checkpointer.checkpoint({ jobId: 7, kind, reason: 'heartbeat' });
  }

  /** A ready checkpoint of job 7. */
  async saved(kind: 'simple' | 'rootfs' | 'rootfsonly' = 'simple'): Promise<string> {
    const answer = await this.ask(kind);
    if (!answer.ok) throw new Error(answer.message);
    await until(() => this.checkpointer.status(answer.actionId) === null, {
      what: 'the checkpoint',
      everyMs: 5,
      details: () => JSON.stringify([this.checkpointer.status(answer.actionId), this.log.lines]),
    });
    return answer.actionId;
  }

  move(actionId: string, reason: 'manual' | 'nodeTermination' | 'nodeUnschedulable' = 'nodeTermination') {
    return this.checkpointer.restore({ actionId, reason });
  }

  /** Names in a folder of the engine's own on this node; empty where there is none. */
  left(folder: 'work/dump' | 'run/frozen'): Promise<string[]> {
    return readdir(join(this.node.dir, folder)).catch(() => []);
  }

  async marker(): Promise<{ requeueing: boolean } | null> {
    const text = await readFile(join(this.config.runDir, 'frozen/7.json'), 'utf8').catch(() => 'null');
    return JSON.parse(text);
  }

  /** The job's own acts of scontrol so far, its words but the program. */
  async acts(): Promise<string[]> {
    const calls = await this.slurm.calls('scontrol');
    return calls.filter(([, verb]) => verb !== 'show').map((call) => call.slice(1).join(' '));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.checkpointer[Symbol.asyncDispose]();
    await this.slurm[Symbol.asyncDispose]();
    await this.node[Symbol.asyncDispose]();
    await rm(this.node.dir, { recursive: true, force: true });
  }
}

function configOf({ dir }: FakeNode, slurm: FakeSlurm): EngineConfig {
  return {
    clusterId: CLUSTER,
    dir: join(dir, 'store'),
    keep: 3,
    criu: join(dir, 'criu'),
    scratch: [],
    compress: 'zstd',
    socket: { path: join(dir, 'api.sock'), mode: 0o600, group: 'root' },
    listen: null,
    tokenFile: null,
    slurm: { node: 'n1', bin: slurm.bin, conf: '/none' },
    policies: '/none',
    workDir: join(dir, 'work'),
    runDir: join(dir, 'run'),
    helper: join(dir, 'ckptd-criu'),
    asOwner: PROGRAM,
    log: { level: 'info' },
  };
}

/** Who sleeps for minutes watches over what is done meanwhile, which here takes its own time. */
const WATCH_MS = 5 * 60_000;

/** A sleep is over at once, and was as long as it should be; a watch, when `isLate`. */
function quickClock(isLate: () => boolean): Clock {
  let now = 1_800_000_000_000;
  return {
    now: () => now,
    async sleep(ms, signal) {
      do await setTimeout(ms < WATCH_MS ? 0 : 10);
      while (ms >= WATCH_MS && !isLate() && !signal?.aborted);
      signal?.throwIfAborted();
      now += ms;
    },
  };
}

/** How a command ends that nobody answered in time. */
export const TIMED_OUT: CommandResult = {
  ok: false,
  why: 'timeout',
  exitCode: null,
  stdout: Buffer.alloc(0),
  stderr: '',
  message: 'scontrol took longer than 10000 ms',
};

/** How scontrol says no. */
export function says(stderr: string): CommandResult {
  return { ok: false, why: 'exit', exitCode: 1, stdout: Buffer.alloc(0), stderr, message: stderr };
}
