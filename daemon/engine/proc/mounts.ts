/** One line of /proc/<pid>/mountinfo. */
export interface Mount {
  /** `major:minor` of the file system. */
  readonly device: string;
  /** Which part of the file system is seen here. */
  readonly root: string;
  readonly target: string;
  /** For example `ext4`, `nfs4`, `fuse.sshfs`. */
  readonly type: string;
  /** Options of the file system itself, for example the controllers of a cgroup hierarchy. */
  readonly options: readonly string[];
}

/** proc(5): optional fields of any number stand before a single `-`. What cannot be read is left out. */
export function parseMounts(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ');
    const [, , device, root, target] = before.split(' ');
    const [type, , options = ''] = after.split(' ');
    if (!device || !root || !target || !type) return [];
    return [{ device, root: plain(root), target: plain(target), type, options: options.split(',') }];
  });
}

/** Space, tab, newline and backslash are `\040` and so on. */
function plain(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
