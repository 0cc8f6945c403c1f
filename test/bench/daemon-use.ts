import { setTimeout as delay } from 'node:timers/promises';
import type { LabNode } from '../lab/lab.ts';
import { type Memory, unitMemory } from './memory.ts';
import { unitCpuMs } from './unit-cpu.ts';

/** What the daemon of a node used in a while of doing its usual work. */
export interface DaemonUse {
  readonly memory: Memory;
  /** Of one core, with every command that it ran. */
  readonly cpuPercent: number;
  /** Of one core, by the daemon's own process. */
  readonly ownPercent: number;
  /** Commands run in the time, by kind. */
  readonly commands: string;
}

export async function daemonUse(node: LabNode, seconds: number): Promise<DaemonUse> {
  const before = await metrics(node);
  const [cpu, startedAt] = [await unitCpuMs(node, 'ckptd'), performance.now()];
  await delay(seconds * 1000);
  const percent = 100 / (performance.now() - startedAt);
  const cpuPercent = ((await unitCpuMs(node, 'ckptd')) - cpu) * percent;
  const after = await metrics(node);
  return {
    memory: await unitMemory(node, 'ckptd'),
    cpuPercent,
    ownPercent: (after.cpuMs - before.cpuMs) * percent,
    commands: [...after.commands]
      .map(([kind, count]) => [kind, count - (before.commands.get(kind) ?? 0)] as const)
      .filter(([, count]) => count > 0)
      .map(([kind, count]) => `${kind} ${count}`)
      .join(', '),
  };
}

/** The part of `/metrics` that is of use here. */
export async function metrics(node: LabNode) {
  const url = 'http://ckptd/metrics';
  const { stdout: text } = await node.run([
    'curl',
    '-s',
    '--max-time',
    '10',
    '--unix-socket',
    '/run/ckptd/ckptd.sock',
    url,
  ]);
  const commands = text.matchAll(/^ckptd_commands_total\{kind="(.+)"\} (\d+)$/gm);
  return {
    text,
    cpuMs: Number(/^process_cpu_seconds_total (.+)$/m.exec(text)?.[1]) * 1000,
    runningJobs: Number(/^ckptd_jobs\{state="RUNNING"\} (\d+)$/m.exec(text)?.[1] ?? 0),
    commands: new Map([...commands].map(([, kind, count]) => [kind!, Number(count)])),
  };
}
