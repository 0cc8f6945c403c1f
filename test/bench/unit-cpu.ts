import type { LabNode } from '../lab/lab.ts';

/**
 * CPU time that a unit took since it started, in milliseconds, with its ended threads and children; to the
 * microsecond. cgroup v2 counts it for every group, also where its controllers are those of v1 (hybrid hierarchy).
 */
export async function unitCpuMs(node: LabNode, unit: string): Promise<number> {
  const stat = `system.slice/${unit}.service/cpu.stat`;
  const { stdout } = await node.run(`cd /sys/fs/cgroup && cat unified/${stat} 2>/dev/null || cat ${stat}`);
  const micros = /^usage_usec (\d+)$/m.exec(stdout)?.[1];
  if (micros === undefined) throw new Error(`${node.name} has no CPU time of ${unit}`);
  return Number(micros) / 1000;
}
