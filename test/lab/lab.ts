/**
 * A Slurm cluster in a bottle: a controller and compute nodes as containers that boot real systemd, munge and Slurm.
 *
 *     await using lab = await Lab.start({ nodes: 2 });
 *     const id = await lab.submit({ script: '#!/bin/sh\nhostname\n' });
 *     await lab.waitForJob(id, 'COMPLETED');
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { baseRoot } from './base.ts';
import { claimSlot } from './cluster-record.ts';
import type { Bind } from './container.ts';
import { LabError } from './lab-error.ts';
import { LabNode } from './lab-node.ts';
import { withLock } from './lock.ts';
import { mountOverlay } from './mounts.ts';
import { createBridge } from './network.ts';
import { removeCluster, removeDeadClusters } from './removal.ts';
import { enableUnit, type FileSpec, nodeFiles, writeFiles } from './root-files.ts';
import type { Slot } from './slot.ts';
import { Slurm } from './slurm.ts';
import { cgroupConf, type SlurmConfOptions, slurmConf } from './slurm-conf.ts';

export type { Bind } from './container.ts';
export type { Argv, RunOptions, RunResult } from './inside.ts';
export { LabError } from './lab-error.ts';
export type { LabNode } from './lab-node.ts';
export type { FileSpec } from './root-files.ts';
export type { SubmitOptions } from './slurm.ts';
export { until } from './until.ts';

export interface LabOptions extends Omit<SlurmConfOptions, 'nodes'> {
  /** Compute nodes, 1 to 8; default 2. */
  nodes?: number;
  /** Written into every node before it boots, e.g. `/etc/slurm/prolog`; path to text, or text and mode. */
  files?: Record<string, FileSpec>;
  /** Folders of this machine that all nodes see. */
  binds?: Bind[];
  /** How long the nodes may take to become idle; default 30 s. */
  timeoutMs?: number;
}

export class Lab extends Slurm implements AsyncDisposable {
  /** Unique on this machine: prefix of its links, machines and cgroups. */
  readonly name: string;
  readonly ctl: LabNode;
  /** Compute nodes, n1 first. */
  readonly nodes: readonly LabNode[];
  /** The folder, on this machine, that all nodes see as /shared; anybody may write there. */
  readonly shared: string;
  /** Address of this machine as the nodes see it; they also know it as `host`. */
  readonly hostAddress: string;
  readonly #slot: Slot;
  readonly #reaper: ChildProcess;
  #disposal: Promise<void> | undefined;

  private constructor(slot: Slot, options: LabOptions) {
    const shared = join(slot.dir, 'shared');
    const binds = [{ from: shared, to: '/shared' }, ...(options.binds ?? [])];
    const ctl = new LabNode(slot, 'ctl', binds);
    super(ctl);
    this.name = slot.name;
    this.ctl = ctl;
    this.nodes = nodeNames(options).map((name) => new LabNode(slot, name, binds));
    this.shared = shared;
    this.hostAddress = slot.hostAddress;
    this.#slot = slot;
    this.#reaper = startReaper(slot);
  }

  /**
   * Boots a cluster, after removing what dead ones left; resolves when all its nodes are idle.
   * The first on a machine builds the root file system, which takes a minute or two. Needs root.
   * If it throws, nothing is left; a LabError says which node failed, with its console or journal.
   */
  static async start(options: LabOptions = {}): Promise<Lab> {
    if (process.getuid?.() !== 0) throw new LabError('only root can start a lab');
    const count = options.nodes ?? 2;
    if (!Number.isInteger(count) || count < 1 || count > 8)
      throw new LabError(`a lab has 1 to 8 nodes, not ${count}`);
    const base = await baseRoot();
    const slot = await withLock('clusters', async () => {
      await removeDeadClusters((dead, error) => console.error(`lab: cannot remove ${dead.name}:`, error));
      return claimSlot();
    });
    const lab = new Lab(slot, options);
    try {
      await lab.#boot(base, options);
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw new LabError(`${slot.name}: ${error instanceof Error ? error.message : error}`, { cause: error });
    }
    return lab;
  }

  async #boot(base: string, options: LabOptions): Promise<void> {
    await mkdir(this.shared);
    await chmod(this.shared, 0o1777);
    await createBridge(this.#slot);
    const all = [this.ctl, ...this.nodes];
    const booted = await Promise.allSettled(all.map((node) => this.#bootNode(node, base, options)));
    for (const result of booted) if (result.status === 'rejected') throw result.reason;
    const limit = { timeoutMs: options.timeoutMs ?? 30_000 };
    for (const node of all) await node.ready(limit);
    for (const node of this.nodes) await this.waitForNode(node.name, 'IDLE', limit);
  }

  async #bootNode(node: LabNode, base: string, options: LabOptions): Promise<void> {
    const dir = join(this.#slot.dir, node.name);
    await mountOverlay(base, { root: node.rootPath, upper: join(dir, 'upper'), work: join(dir, 'work') });
    await enableUnit(node.rootPath, node === this.ctl ? 'slurmctld.service' : 'slurmd.service');
    await writeFiles(node.rootPath, {
      ...nodeFiles(this.#slot, node.name, ['ctl', ...nodeNames(options)]),
      '/etc/slurm/slurm.conf': slurmConf({ ...options, nodes: this.nodes.length }),
      '/etc/slurm/cgroup.conf': cgroupConf(),
      ...options.files,
    });
    await node.boot();
  }

  /** The node of that name: `ctl`, `n1`, … Throws LabError if there is none. */
  node(name: string): LabNode {
    const node = [this.ctl, ...this.nodes].find((candidate) => candidate.name === name);
    if (!node) throw new LabError(`the lab has no node ${name}`);
    return node;
  }

  /** Kills all nodes and removes every trace of the cluster; may be called again. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#disposal ??= this.#dispose();
    return this.#disposal;
  }

  async #dispose(): Promise<void> {
    await removeCluster(this.#slot);
    if (this.#reaper.exitCode !== null || this.#reaper.signalCode !== null) return;
    this.#reaper.ref();
    this.#reaper.stdin?.end();
    await once(this.#reaper, 'exit');
  }
}

const nodeNames = (options: LabOptions): string[] =>
  Array.from({ length: options.nodes ?? 2 }, (_, index) => `n${index + 1}`);

function startReaper(slot: Slot): ChildProcess {
  const reaper = spawn(process.execPath, [join(import.meta.dirname, 'reaper.ts'), `${slot.number}`], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  reaper.unref();
  return reaper;
}
