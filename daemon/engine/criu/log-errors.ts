import { open } from 'node:fs/promises';

/** The first errors say why; the later ones only who gave up after them. */
const TOLD = 2;
const LONGEST = 500;
const TAIL_BYTES = 256 * 1024;

/** Said of every dump where the engine may not raise its own limits; harmless. */
const HARMLESS = /RLIMIT_NOFILE/;

/**
 * CRIU's own reason in its log, from `Error (criu/files.c:123): Can't …` (with a time before it where the log is a
 * talkative one). Null where it gives none.
 */
export function criuErrors(log: string): string | null {
  const errors = log
    .split('\n')
    .map((line) => /^(?:\(\d+\.\d+\)\s+)?(?:\d+:\s+)?Error \(([^)]*)\): (.*)$/.exec(line.trim()))
    .filter((match) => match !== null)
    .filter(([line]) => !HARMLESS.test(line))
    .map(([, place, message]) => `${message} (${place})`);
  const told = [...new Set(errors)].slice(0, TOLD).join('; ');
  // It holds names of the job's.
  return told === '' ? null : told.replace(/[^ -~]/g, '?').slice(0, LONGEST);
}

/** The same of a log file, as far as it can be read. */
export async function criuErrorsIn(path: string): Promise<string | null> {
  await using file = await open(path, 'r').catch(() => null);
  if (!file) return null;
  const { size } = await file.stat();
  const tail = Buffer.alloc(Math.min(size, TAIL_BYTES));
  const { bytesRead } = await file.read(tail, 0, tail.length, size - tail.length);
  return criuErrors(tail.toString('utf8', 0, bytesRead));
}
