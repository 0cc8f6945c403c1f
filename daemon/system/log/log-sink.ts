import { writeSync } from 'node:fs';
import type { Millis } from '../../vocabulary/job.ts';

/** `fs.writeSync` on one descriptor: how many bytes it took, or an error with a `code`. */
export type WriteSome = (bytes: Uint8Array) => number;

export interface LogSink {
  write(line: string): void;
}

/** How long a full pipe may block the daemon, for one line. */
const LONGEST_WAIT: Millis = 100;
const PAUSE: Millis = 5;

/**
 * Writes whole lines, synchronously, so that a crash loses none of them. If the reader is gone (EPIPE), full (EAGAIN,
 * after a tenth of a second) or out of space, lines are lost, but the daemon goes on. Before the next line that is
 * written, one line says how many were lost.
 *
 * State: `lost` counts lines since the last written one; `torn`: a part of a line was written, and its end was not.
 */
export function logSink(fd: number, lostLine: (lost: number) => string, write?: WriteSome): LogSink {
  const some = write ?? ((bytes: Uint8Array) => writeSync(fd, bytes));
  const nap = new Int32Array(new SharedArrayBuffer(4));
  let lost = 0;
  let torn = false;

  return {
    write(line) {
      const text = `${torn ? '\n' : ''}${lost > 0 ? lostLine(lost) : ''}${line}`;
      let rest: Uint8Array = Buffer.from(text);
      let waited = 0;
      while (rest.length > 0) {
        try {
          rest = rest.subarray(some(rest));
          torn = true;
        } catch (error) {
          const code = error instanceof Error && 'code' in error ? error.code : undefined;
          if (code === 'EINTR') continue;
          if (code !== 'EAGAIN' || waited >= LONGEST_WAIT) {
            lost += 1;
            return;
          }
          Atomics.wait(nap, 0, 0, PAUSE);
          waited += PAUSE;
        }
      }
      torn = false;
      lost = 0;
    },
  };
}
