import { readdirSync, readFileSync } from 'node:fs';
import { until } from '../../lab/until.ts';
import { PROGRAM } from '../owner/program/support.ts';

/** Pids of the processes of this one that have become a job's owner. */
export function helpers(): number[] {
  return children((uid) => uid !== process.getuid?.());
}

/** Of those that are nobody's yet. */
export function spares(): number[] {
  return children((uid) => uid === process.getuid?.());
}

export function helpersLeft(count: number): Promise<unknown> {
  return left(helpers, count, 'helpers');
}

export function sparesLeft(count: number): Promise<unknown> {
  return left(spares, count, 'spares');
}

function left(pids: () => number[], count: number, what: string): Promise<unknown> {
  return until(() => pids().length === count, {
    what: `${count} ${what}`,
    details: () => String(pids()),
  });
}

function children(isOne: (uid: number) => boolean): number[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && isChild(pid, isOne))
    .map(Number);
}

function isChild(pid: string, isOne: (uid: number) => boolean): boolean {
  try {
    const parent = /\) [^ZX] (\d+) /.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1];
    if (Number(parent) !== process.pid) return false;
    if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(PROGRAM)) return false;
    return isOne(Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]));
  } catch {
    return false;
  }
}
