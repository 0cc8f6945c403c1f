import type { LabNode } from '../lab/lab.ts';

/** What slurmctld counted for one type of RPC. */
export interface RpcCount {
  readonly count: number;
  /** Wall time of its handler, without the connection, its thread and munge. */
  readonly micros: number;
}

/** By type, without the leading `REQUEST_`. */
export type RpcCounts = ReadonlyMap<string, RpcCount>;

/** RPCs whose answers are whole tables, which grow with the cluster. */
export const FULL_TABLES: readonly string[] = ['NODE_INFO', 'JOB_INFO', 'JOB_USER_INFO', 'JOB_STATE'];

export async function resetRpcCounts(ctl: LabNode): Promise<void> {
  await ctl.run(['sdiag', '--reset']);
}

/** Since the last reset. */
export async function rpcCounts(ctl: LabNode): Promise<RpcCounts> {
  return parseSdiag((await ctl.run(['sdiag'])).stdout);
}

/** Those of sdiag itself are left out. */
export function parseSdiag(text: string): RpcCounts {
  const [, byType = ''] = text.split('statistics by message type');
  const [section = ''] = byType.split('statistics by user');
  const rows = [
    ...section.matchAll(/^\s+(\w+)\s+\(\s*\d+\) count:(\d+)\s+ave_time:\d+\s+total_time:(\d+)/gm),
  ];
  return new Map(
    rows
      .filter(([, type]) => !type!.startsWith('REQUEST_STATS_'))
      .map(([, type, count, micros]) => [
        type!.replace(/^REQUEST_/, ''),
        { count: Number(count), micros: Number(micros) },
      ]),
  );
}

/** Counts of both together. */
export function addCounts(a: RpcCounts, b: RpcCounts): RpcCounts {
  const sum = new Map(a);
  for (const [type, { count, micros }] of b) {
    const before = sum.get(type) ?? { count: 0, micros: 0 };
    sum.set(type, { count: before.count + count, micros: before.micros + micros });
  }
  return sum;
}
