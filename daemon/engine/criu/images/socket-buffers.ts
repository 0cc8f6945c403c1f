import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { filesEntries } from './files-image.ts';
import { fieldOf, nested, readFields } from './protobuf.ts';

/** images/fdinfo.proto, sk-inet.proto, sk-unix.proto and sk-opts.proto: a kind of socket, and its options in it. */
const KINDS = [
  [4, 14],
  [16, 10],
] as const;
const [SNDBUF, RCVBUF] = [1, 2];

/** Bytes, as socket(7) has them for SO_SNDBUF and SO_RCVBUF before the kernel doubles them. */
export interface SocketBuffers {
  readonly send: number;
  readonly receive: number;
}

/** The largest buffers of the sockets in CRIU's images; 0 where there are none. A string says what is wrong with one. */
export async function largestSocketBuffers(images: string): Promise<SocketBuffers | string> {
  const image = await readFile(join(images, 'files.img')).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (image === null) return { send: 0, receive: 0 };
  const entries = filesEntries(image);
  if (typeof entries === 'string') return entries;
  let [send, receive] = [0, 0];
  for (const fields of entries.map(readFields)) {
    for (const [kind, options] of KINDS) {
      const found = nested(nested(fields, kind, null), options, null);
      // CRIU writes down what getsockopt(2) says, which is doubled.
      send = Math.max(send, Number(fieldOf(found, SNDBUF) ?? 0) / 2);
      receive = Math.max(receive, Number(fieldOf(found, RCVBUF) ?? 0) / 2);
    }
  }
  return { send, receive };
}
