import { setTimeout as delay } from 'node:timers/promises';
import type { LabNode } from '../lab/lab.ts';
import { addCounts, type RpcCounts, resetRpcCounts, rpcCounts } from './rpc-counts.ts';
import { unitCpuMs } from './unit-cpu.ts';

/** What slurmctld did for a while. */
export interface Load {
  readonly seconds: number;
  readonly cpuMs: number;
  readonly rpcs: RpcCounts;
}

/** Looks on for so many seconds. */
export async function loadWindow(ctl: LabNode, seconds: number): Promise<Load> {
  return loadOf(ctl, () => delay(seconds * 1000));
}

export async function loadOf(ctl: LabNode, work: () => Promise<unknown>): Promise<Load> {
  await resetRpcCounts(ctl);
  const [cpu, startedAt] = [await unitCpuMs(ctl, 'slurmctld'), performance.now()];
  await work();
  const seconds = (performance.now() - startedAt) / 1000;
  const cpuMs = (await unitCpuMs(ctl, 'slurmctld')) - cpu;
  return { seconds, cpuMs, rpcs: await rpcCounts(ctl) };
}

export function together(loads: readonly Load[]): Load {
  return loads.reduce((a, b) => ({
    seconds: a.seconds + b.seconds,
    cpuMs: a.cpuMs + b.cpuMs,
    rpcs: addCounts(a.rpcs, b.rpcs),
  }));
}

/** Milliseconds of CPU in it that the idle slurmctld would not have used. */
export const beyondIdle = (load: Load, idle: Load): number =>
  load.cpuMs - (idle.cpuMs / idle.seconds) * load.seconds;

export const countOf = (load: Load, type: string): number => load.rpcs.get(type)?.count ?? 0;
