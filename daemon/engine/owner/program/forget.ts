import { unlinkSync } from 'node:fs';
import type { Operation } from '../protocol.ts';
import { namesOf } from './names.ts';
import { keepInSight } from './put-back.ts';
import { lookAt } from './regular-file.ts';

/**
 * What slurmstepd made is of no use once the job is back; if something was written to it, its owner may want it. Another
 * job may have opened it in the place of an output that is shared, and write to it only later.
 */
export function forget({ tag, outputs }: Extract<Operation, { op: 'forget' }>): string[] {
  return namesOf(outputs, tag).flatMap(({ path, shared, made, beside }) => {
    const there = lookAt(made);
    if (!there) return [];
    if (there.isFile() && there.size > 0n) {
      return [`what was written instead of ${path} is in ${keepInSight(made, beside)}`];
    }
    if (there.isFile() && shared)
      return [`a job that opened ${path} while this one came back writes to ${keepInSight(made, beside)}`];
    unlinkSync(made);
    return [];
  });
}
