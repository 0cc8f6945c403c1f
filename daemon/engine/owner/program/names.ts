import { basename, dirname, join } from 'node:path';
import type { Output } from '../protocol.ts';

/** Where one output is while its job is being put back; all in its own folder, so that a rename is enough. */
export interface Names {
  readonly path: string;
  readonly ino: string | null;
  readonly shared: boolean;
  /** The output itself, out of slurmstepd's way. */
  readonly aside: string;
  /** What slurmstepd made in its place. */
  readonly made: string;
  /** In sight of the owner, for what has no other place. */
  readonly beside: string;
}

/** StdOut and StdErr may be one file. */
export function namesOf(outputs: readonly Output[], tag: string): Names[] {
  const unique = new Map(outputs.map((output) => [output.path, output]));
  return [...unique.values()].map(({ path, ino, shared = false }) => {
    const hidden = join(dirname(path), `.${basename(path)}.${tag}`);
    return { path, ino, shared, aside: hidden, made: `${hidden}.new`, beside: `${path}.${tag}` };
  });
}
