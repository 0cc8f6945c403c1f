import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Manifest, Order } from '../../../daemon/engine/manifest.ts';
import type { Found } from '../../../daemon/engine/ports.ts';
import { createStore, type EngineStore } from '../../../daemon/engine/store/store.ts';
import { recordingLog } from '../../support/log.ts';

export const CLUSTER = '0b7e35a6-1f8a-4a57-9c4a-2f4d5c1d7e90';

export interface Scene extends Disposable {
  /** The admin's folder. */
  readonly dir: string;
  /** The cluster's folder in it. */
  readonly cluster: string;
  readonly store: EngineStore;
  readonly log: ReturnType<typeof recordingLog>;
  /** Another engine on the same file system. */
  other(node: string, keep?: number): EngineStore;
}

/** A real folder, private as it should be; with what is around it if it was made here. */
export function scene(options: { keep?: number; dir?: string } = {}): Scene {
  const { keep = 3, dir = freshDir() } = options;
  const log = recordingLog();
  const make = (node: string, most = keep) => createStore({ dir, clusterId: CLUSTER, keep: most, node, log });
  return {
    dir,
    cluster: join(dir, CLUSTER),
    log,
    store: make('n1'),
    other: make,
    [Symbol.dispose]: () =>
      rmSync(options.dir === undefined ? dirname(dir) : dir, { recursive: true, force: true }),
  };
}

export function freshDir(): string {
  const dir = join(mkdtempSync(join(tmpdir(), 'ckptd-store-')), 'store');
  mkdirSync(dir, { mode: 0o700 });
  return dir;
}

export function manifest(jobId: number, actionId: string, over: Partial<Manifest> = {}): Manifest {
  return {
    version: 1,
    actionId,
    clusterId: CLUSTER,
    jobId,
    restarts: 0,
    uid: 1500,
    gid: 1500,
    user: 'alice',
    jobName: 'count\n"é',
    submitAt: 1_795_461_250_000,
    node: 'n1',
    kind: 'simple',
    reason: 'heartbeat',
    takenAt: 1_800_000_000_000,
    publishedAt: 1_800_000_001_000,
    frozenMs: 12.5,
    criu: { version: '4.2.1', restoreOptions: ['--shell-job'] },
    cpuFlags: ['sse2'],
    kernel: '6.18.0',
    rootPid: 4711,
    compress: 'none',
    images: [{ name: 'core-1.img', bytes: 5, storedBytes: 5 }],
    archive: null,
    files: [{ path: '/home/alice/out', ino: '18446744073709551615', dev: '2049', size: 7, append: false }],
    output: ['/home/alice/out'],
    carried: [],
    ...over,
  };
}

export function order(jobId: number, actionId: string, over: Partial<Order> = {}): Order {
  return {
    version: 1,
    jobId,
    clusterId: CLUSTER,
    uid: 1500,
    actionId,
    restarts: 1,
    reason: 'nodeUnschedulable',
    fromNode: 'n1',
    createdAt: 1_800_000_000_000,
    excludedNodes: '',
    ...over,
  };
}

/** A whole checkpoint, with one image of five bytes. */
export async function put(
  store: EngineStore,
  jobId: number,
  over: Partial<Manifest> = {},
  actionId: string = randomUUID(),
): Promise<Found> {
  const pending = await store.begin(jobId, actionId);
  writeImage(pending.dir);
  return pending.publish(manifest(jobId, actionId, over));
}

export function writeImage(dir: string, text = 'image'): void {
  mkdirSync(join(dir, 'images'));
  writeFileSync(join(dir, 'images/core-1.img'), text);
}

/** The rejection's message; fails where there is none. */
export async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if ((error as Error).name !== 'StoreError') throw error;
    return (error as Error).message;
  }
  throw new Error('it was not refused');
}
