import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/**
 * Runs `work` while no other process on this machine runs work under the same name.
 * The lock is an abstract Unix socket: the kernel frees it with its holder, so there is never a stale one.
 * `onWait` is called once if somebody else has it.
 */
export async function withLock<T>(name: string, work: () => Promise<T>, onWait?: () => void): Promise<T> {
  const path = `\0ckptd-lab/${name}`;
  let release = await tryAcquire(path);
  if (!release) onWait?.();
  while (!release) {
    await holderGone(path);
    release = await tryAcquire(path);
  }
  try {
    return await work();
  } finally {
    await release();
  }
}

/** The function that frees the lock, or undefined if somebody else has it. */
async function tryAcquire(path: string): Promise<(() => Promise<void>) | undefined> {
  // Whoever waits is connected, and learns from the end of the connection that the lock is free.
  const waiting = new Set<Socket>();
  const server = createServer((socket) => {
    waiting.add(socket.on('error', () => {}).on('close', () => waiting.delete(socket)));
  });
  server.listen({ path });
  try {
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined;
    throw error;
  }
  return async () => {
    const closed = once(server, 'close');
    server.close();
    for (const socket of waiting) socket.destroy();
    await closed;
  };
}

/** Resolves when the holder of the lock lets go of it, or if there is none. */
async function holderGone(path: string): Promise<void> {
  const socket = connect({ path }).on('error', () => {});
  await new Promise((resolve) => socket.once('close', resolve));
}
