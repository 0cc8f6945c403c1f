import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EngineConfig } from '../../../daemon/engine/config/config.ts';
import { storeFile } from '../../../daemon/engine/files/compress.ts';
import type { Manifest } from '../../../daemon/engine/manifest.ts';
import type { Starter } from '../../../daemon/engine/ports.ts';
import type { Parts } from '../../../daemon/engine/restore/run/parts.ts';
import { createStarter } from '../../../daemon/engine/restore/starter.ts';
import type { JobAnswer } from '../../../daemon/slurm/squeue.ts';
import { systemExec } from '../../../daemon/system/process/exec.ts';
import type { JobFacts } from '../../../daemon/vocabulary/job.ts';
import { ManualClock } from '../../support/clock.ts';
import { recordingLog } from '../../support/log.ts';
import { type Creds, coreImage, filesImage, ordinary, type Task } from '../criu/images/made-images.ts';
import { Folder, inoOf, OWNER, PROGRAM } from '../owner/program/support.ts';
import { FakeStore } from './fake-store.ts';
import { ROOT } from './restored-tree.ts';
import { CLUSTER, id, manifestOf } from './support.ts';

export const DUMPED = 'line 1\nline 2\n';
export const LATE = 'written after the dump\n';

/** A node on which job 7 is about to start again, with what its first run left. */
export class Scene implements Disposable {
  readonly home = new Folder();
  readonly work = mkdtempSync(join(tmpdir(), 'ckptd-starter-'));
  readonly store = new FakeStore();
  readonly log = recordingLog();
  readonly clock = new ManualClock();
  #stop = new AbortController();
  /** What Slurm answers, the last one again and again. */
  slurm: JobAnswer[];
  looks = 0;
  /** Who the processes are in the checkpoints that are made from now on, and what their limits are. */
  creds: Creds = ordinary(OWNER.uid, OWNER.gid);
  task: Task = {};
  /** Why the last start lost the job's work, as its user reads it; null: it did not. */
  lost: string | null = null;
  /** Nodes that Slurm does not reach. */
  readonly silent = new Set<string>();

  constructor() {
    this.home.file('out', DUMPED + LATE);
    this.home.file('data', '0123456789');
    this.slurm = [this.job()];
    writeFileSync(join(this.work, 'criu'), '#!/bin/sh\necho "Version: 4.2.1"\n');
    chmodSync(join(this.work, 'criu'), 0o755);
  }

  /** Slurm's word on job 7, once requeued unless `facts` say otherwise. */
  job(facts: Partial<JobFacts> = {}): JobAnswer {
    const job = { jobId: 7, restarts: 1, uid: OWNER.uid, user: 'ann', state: 'RUNNING', nodes: ['n2'] };
    const rest = { batchHost: 'n2', partition: 'main', account: '', qos: '', name: 'train', cpus: 1 };
    const times = { startAt: 1_800_000_200_000, submitAt: 1_800_000_190_000, requeue: true, hetJobId: null };
    return { type: 'job', facts: { ...job, ...rest, ...times, ...facts }, target: '7' };
  }

  /** A checkpoint of the first run with both of its files open; newer ones have higher numbers. */
  async checkpoint(number = 1, fields: Partial<Manifest> = {}): Promise<string> {
    const dir = join(this.work, `store-${number}`);
    mkdirSync(join(dir, 'images'), { recursive: true });
    const files = filesImage({
      files: [this.home.at('out'), this.home.at('data')],
    });
    const images: Manifest['images'][number][] = [];
    for (const [name, content] of [
      [`core-${ROOT}.img`, coreImage(this.creds, this.task)],
      ['pages-1.img', `pages of ${number}`],
      ['files.img', files],
    ] as const) {
      writeFileSync(join(this.work, 'image'), content);
      const sizes = await storeFile(join(this.work, 'image'), join(dir, 'images', `${name}.zst`), 'zstd');
      images.push({ name, ...sizes });
    }
    const open = (name: string, size: number, append: boolean) => {
      const path = this.home.at(name);
      return { path, ino: inoOf(path), dev: '1', size, append };
    };
    const manifest = manifestOf({
      actionId: id(number),
      images,
      files: [open('out', DUMPED.length, true), open('data', 4, false)],
      output: [this.home.at('out')],
      ...fields,
    });
    this.store.found.unshift({ manifest, dir, deprecated: null });
    return dir;
  }

  /** An engine on that node; a second one is the first one started again. */
  engine(stands: Partial<Parts> = {}): Starter {
    const config: EngineConfig = {
      clusterId: CLUSTER,
      dir: '/nowhere',
      keep: 3,
      criu: join(this.work, 'criu'),
      scratch: [],
      compress: 'zstd',
      socket: { path: join(this.work, 'run/api.sock'), mode: 0o600, group: 'root' },
      listen: null,
      tokenFile: null,
      slurm: { node: 'n2', bin: '/nowhere', conf: '/nowhere' },
      policies: join(this.work, 'ckptd.yaml'),
      workDir: this.work,
      runDir: join(this.work, 'run'),
      helper: '/usr/lib/ckptd/ckptd-criu',
      asOwner: PROGRAM,
      log: { level: 'info' },
    };
    const { store, clock, log } = this;
    const look = async (): Promise<JobAnswer> => this.slurm[Math.min(this.looks++, this.slurm.length - 1)]!;
    const ports = { config, store, exec: systemExec(), clock, log, signal: this.#stop.signal };
    const responds = async (node: string) => !this.silent.has(node);
    return createStarter(ports, { look, responds, ...stands });
  }

  /** The end of the engines so far, as by SIGTERM; not of those that are made from now on. */
  stop(): void {
    this.#stop.abort(new Error('stopped'));
    this.#stop = new AbortController();
  }

  /** The plan; null: from the beginning. `restarts`: what the plugin says; null: nothing. */
  async start(engine: Starter, restarts: number | null = null) {
    const answer = await engine.start({ jobId: 7, uid: OWNER.uid, gid: OWNER.gid, restarts });
    this.lost = answer?.type === 'anew' ? answer.why : null;
    return answer?.type === 'restore' ? answer : null;
  }

  /** Leaves word that a run began anew, as the SPANK plugin does. */
  mark(name: string): void {
    mkdirSync(join(this.work, 'run/anew'), { recursive: true, mode: 0o700 });
    writeFileSync(join(this.work, 'run/anew', name), '');
  }

  get marks(): string[] {
    return readdirSync(join(this.work, 'run/anew'));
  }

  get staged(): string[] {
    try {
      return readdirSync(join(this.work, 'restore'));
    } catch {
      return [];
    }
  }

  /** What an admin is told at this level. */
  said(level: 'info' | 'warn' | 'error'): string[] {
    return this.log.lines.filter((line) => line.level === level).map(({ message }) => message);
  }

  /** slurmstepd opens the job's output as it does before each run. */
  stepdOpens(): void {
    this.home.file('out', '');
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.home[Symbol.dispose]();
    rmSync(this.work, { recursive: true, force: true });
  }
}
