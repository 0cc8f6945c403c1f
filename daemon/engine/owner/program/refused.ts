/** Why an operation was not done. Its message names the file. */
export class Refused extends Error {
  override readonly name = 'Refused';
}

/** It passes: worth another try. */
export class Busy extends Refused {}

/** The reason of a system call's failure in Node's words without its path, which the message has already. */
export function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  return WORDS[code ?? ''] ?? code ?? String(error);
}

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'it is gone',
  ENOTDIR: 'a part of its path is no directory',
  ELOOP: 'it is a symbolic link',
  EACCES: "the job's owner has no permission",
  EPERM: "the job's owner has no permission",
  EROFS: 'its file system is read-only',
  EISDIR: 'it is a directory',
  ENXIO: 'it is no regular file',
  ENAMETOOLONG: 'its name is too long to put it aside',
  ETXTBSY: 'it is a program that runs',
};
