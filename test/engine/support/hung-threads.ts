import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Node's own default. */
const THREADS = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4);

/**
 * Keeps every thread of Node's in the kernel, as a file system does that hangs: each opens a fifo that nobody writes to.
 * Until this is disposed of, nothing of `node:fs/promises` answers in this process.
 */
export function hangThreads(): AsyncDisposable {
  const dir = mkdtempSync(join(tmpdir(), 'hung-threads-'));
  const fifo = join(dir, 'fifo');
  execFileSync('mkfifo', [fifo]);
  const opened = Array.from({ length: THREADS }, () => open(fifo, 'r'));
  return {
    async [Symbol.asyncDispose]() {
      const writer = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
      for (const file of await Promise.all(opened)) await file.close();
      closeSync(writer);
      rmSync(dir, { recursive: true });
    },
  };
}
