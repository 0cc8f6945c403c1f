import { type BigIntStats, closeSync, constants, fstatSync, openSync } from 'node:fs';
import type { Held, Operation } from './protocol.ts';
import { Refused, reasonOf } from './refused.ts';

/** Not among Node's constants; asm-generic, which every platform of CRIU's has. */
const O_PATH = 0o10000000;
const NAMED = 3;

/**
 * Holds each thing that a restored process has open to what the owner gets along the same path, with the same
 * access. CRIU opened them as root, along paths that the owner could lead elsewhere meanwhile.
 */
export function identify({ held }: Extract<Operation, { op: 'identify' }>): string[] {
  const wrong = held.flatMap((one) => {
    const why = whyNot(one);
    return why === null ? [] : [`${Buffer.from(one.path, 'latin1')}: ${why}`];
  });
  if (wrong.length === 0) return [];
  const more = wrong.length > NAMED ? ` and ${wrong.length - NAMED} more` : '';
  throw new Refused(`the job may not have ${wrong.slice(0, NAMED).join('; ')}${more}`);
}

function whyNot({ path, dev, ino, access }: Held): string | null {
  let found: number | null = null;
  try {
    found = openSync(Buffer.from(path, 'latin1'), O_PATH);
    const stats = fstatSync(found, { bigint: true });
    if (String(stats.dev) !== dev || String(stats.ino) !== ino) return 'another file is there';
    if (access !== 'path') return mayOpen(found, stats, access);
    // To be in a folder takes the right to pass through it.
    if (stats.isDirectory()) closeSync(openSync(`/proc/self/fd/${found}/.`, O_PATH));
    return null;
  } catch (error) {
    return reasonOf(error);
  } finally {
    if (found !== null) closeSync(found);
  }
}

const FLAGS = { read: constants.O_RDONLY, write: constants.O_WRONLY, both: constants.O_RDWR } as const;
/** A driver, or the other end of a FIFO, says so after the kernel has looked at the permissions. */
const NOT_NOW = new Set(['ENXIO', 'EBUSY', 'ENODEV', 'EAGAIN', 'EIO']);

/** Through the descriptor, so that it is the very file that was looked at. */
function mayOpen(found: number, stats: BigIntStats, access: keyof typeof FLAGS): string | null {
  try {
    const flags = FLAGS[access] | constants.O_NONBLOCK | constants.O_NOCTTY;
    closeSync(openSync(`/proc/self/fd/${found}`, flags));
    return null;
  } catch (error) {
    const isSpecial = !stats.isFile() && !stats.isDirectory();
    if (isSpecial && NOT_NOW.has((error as NodeJS.ErrnoException).code ?? '')) return null;
    return reasonOf(error);
  }
}
