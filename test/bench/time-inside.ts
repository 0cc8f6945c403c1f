import { join } from 'node:path';
import type { Bind, LabNode } from '../lab/lab.ts';
import type { Timed, Timing } from './inside/time-command.ts';

/** For `CkptdLabOptions.binds`: the programs that measure from inside a node. */
export const INSIDE: Bind = { from: join(import.meta.dirname, 'inside'), to: '/bench', readOnly: true };

export const NODE = '/usr/lib/ckptd/node';

export async function timeInside(node: LabNode, timing: Timing): Promise<Timed> {
  const { stdout } = await node.run([NODE, '/bench/time-command.ts'], {
    input: JSON.stringify(timing),
    timeoutMs: 120_000,
  });
  return JSON.parse(stdout) as Timed;
}
