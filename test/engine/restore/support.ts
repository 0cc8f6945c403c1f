import type { Manifest, Order } from '../../../daemon/engine/manifest.ts';
import type { Found } from '../../../daemon/engine/ports.ts';
import { OWNER } from '../owner/program/support.ts';

export const CLUSTER = '0b7e0000-0000-4000-8000-000000000000';

/** `id(3)` is the third checkpoint of a test. */
export const id = (number: number): string => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;

export function manifestOf(fields: Partial<Manifest> = {}): Manifest {
  return {
    version: 1,
    actionId: id(1),
    clusterId: CLUSTER,
    jobId: 7,
    restarts: 0,
    uid: OWNER.uid,
    gid: OWNER.gid,
    user: 'ann',
    jobName: 'train',
    submitAt: 1_800_000_000_000,
    node: 'n1',
    kind: 'simple',
    reason: 'heartbeat',
    takenAt: 1_800_000_100_000,
    publishedAt: 1_800_000_101_000,
    frozenMs: 12,
    criu: { version: '4.2.1', restoreOptions: ['--shell-job', '--tcp-close'] },
    cpuFlags: [],
    kernel: '6.18.0',
    rootPid: 40,
    compress: 'zstd',
    images: [],
    archive: null,
    files: [],
    output: [],
    carried: [],
    ...fields,
  };
}

export function foundOf(fields: Partial<Manifest> = {}, rest: Partial<Found> = {}): Found {
  return { manifest: manifestOf(fields), dir: '/nowhere', deprecated: null, ...rest };
}

export function orderOf(fields: Partial<Order> = {}): Order {
  return {
    version: 1,
    jobId: 7,
    clusterId: CLUSTER,
    uid: OWNER.uid,
    actionId: id(1),
    restarts: 1,
    reason: 'nodeUnschedulable',
    fromNode: 'n1',
    createdAt: 1_800_000_102_000,
    ended: true,
    excludedNodes: '',
    ...fields,
  };
}
