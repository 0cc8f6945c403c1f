/** Why a checkpoint cannot be written, read or used: for an admin, with the path. */
export class StoreError extends Error {
  override readonly name = 'StoreError';

  /** The file system failed, which may pass; false: what is there is wrong, and stays so. */
  get mayPass(): boolean {
    return codeOf(this.cause) !== '' && codeOf(this.cause) !== 'ELOOP';
  }

  /** The file system hangs, or its server did not answer. */
  get isLate(): boolean {
    return codeOf(this.cause) === 'ETIMEDOUT';
  }
}

/** What a file system's refusals mean here, where its own words say too little. */
const MEANING: Readonly<Record<string, string>> = {
  ENOSPC: 'the file system is full',
  EDQUOT: 'the quota is used up',
  EROFS: 'the file system is read-only',
  ESTALE: 'the file system was taken away (stale handle)',
  EACCES: 'no permission (an NFS export needs no_root_squash)',
  EPERM: 'not permitted',
  EIO: 'the disk or the network failed',
  ENOENT: 'it is not there (any more)',
};

/** Any error of the file system as a StoreError that names what was tried and where. */
export function asStoreError(error: unknown, what: string, path: string): StoreError {
  if (error instanceof StoreError) return error;
  const { code = '', message } = error as NodeJS.ErrnoException;
  return new StoreError(`${what} ${path}: ${MEANING[code] ?? message}${code === '' ? '' : ` (${code})`}`, {
    cause: error,
  });
}

export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | null | undefined)?.code ?? '';
}
