import { unlinkSync } from 'node:fs';
import { namesOf } from './names.ts';
import type { Operation } from './protocol.ts';
import { keepInSight } from './put-back.ts';
import { lookAt } from './regular-file.ts';

/** What slurmstepd made is of no use once the job is back; if something was written to it, its owner may want it. */
export function forget({ tag, outputs }: Extract<Operation, { op: 'forget' }>): string[] {
  return namesOf(outputs, tag).flatMap(({ path, made, beside }) => {
    const there = lookAt(made);
    if (!there) return [];
    if (there.isFile() && there.size > 0n) {
      return [`what was written instead of ${path} is in ${keepInSight(made, beside)}`];
    }
    unlinkSync(made);
    return [];
  });
}
