import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
} from 'node:fs';
import { connect, type Server } from 'node:net';
import { dirname, join } from 'node:path';

/** The socket cannot be made: its folder, mode, group or length; `cause` has the system's error. */
export class SocketError extends Error {
  override readonly name: string = 'SocketError';
}

/** The path is taken, and not by something stale: a daemon answers there, or it is no socket. Nothing was deleted. */
export class SocketBusyError extends SocketError {
  override readonly name = 'SocketBusyError';
}

export interface SocketFile {
  readonly path: string;
  /** Permission bits, for example 0o600. */
  readonly mode: number;
  /** Name or number; null leaves the daemon's own group. */
  readonly group: string | null;
}

/** `sockaddr_un.sun_path` of Linux holds 108 bytes, the last of them NUL. */
const MAX_PATH_BYTES = 107;

/**
 * Makes `server` listen at the path, and returns a function that removes the path, unless another process owns it by
 * then. A stale socket is replaced; a live one, or a file that is no socket, is a SocketBusyError.
 *
 * The socket is bound in a folder that only the daemon may enter. It gets its mode and group there, and is then renamed
 * to its place. So nobody can connect before the mode is set, no umask is touched, and a stale file is replaced in one
 * step. The journal's lock, and not this function, keeps apart two daemons that start at once.
 */
export async function listenAt(server: Server, { path, mode, group }: SocketFile): Promise<() => void> {
  const gid = group === null ? null : groupId(group);
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  await refuseTaken(path);
  const privateDir = mkdtempSync(join(dirname(path), '.sock-'));
  try {
    const bound = join(privateDir, 's');
    for (const each of [path, bound]) {
      if (Buffer.byteLength(each) <= MAX_PATH_BYTES) continue;
      throw new SocketError(
        `socket path ${path} is too long: with a working name ${each} over ${MAX_PATH_BYTES} bytes`,
      );
    }
    await listening(server, bound);
    chmodSync(bound, mode);
    if (gid !== null) chownSync(bound, -1, gid);
    renameSync(bound, path);
  } catch (error) {
    server.close();
    throw error;
  } finally {
    rmSync(privateDir, { recursive: true, force: true });
  }
  const ours = lstatSync(path);
  return () => {
    const there = lstatSync(path, { throwIfNoEntry: false });
    if (there?.ino === ours.ino && there.dev === ours.dev) unlinkSync(path);
  };
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function refuseTaken(path: string): Promise<void> {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined) return;
  if (!there.isSocket()) {
    throw new SocketBusyError(
      `${path} is there and is not a socket: move it away, or set another socket path`,
    );
  }
  const code = await connectError(path);
  if (code === 'ECONNREFUSED' || code === 'ENOENT') return;
  const who = code === null ? 'a daemon answers there' : `connecting to it fails with ${code}`;
  throw new SocketBusyError(`${path} is in use (${who}): does another ckptd run?`);
}

/** The error code of a connection attempt; null if it was accepted. */
function connectError(path: string): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(null);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

/** Node cannot ask NSS: a group that is not in /etc/group (LDAP …) has to be given by its number. */
function groupId(group: string): number {
  if (/^\d+$/.test(group)) return Number(group);
  const line = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .find((each) => each.startsWith(`${group}:`));
  const gid = Number(line?.split(':')[2] || Number.NaN);
  if (Number.isInteger(gid)) return gid;
  throw new SocketError(`socket group ${group} is not in /etc/group: set its number instead`);
}
