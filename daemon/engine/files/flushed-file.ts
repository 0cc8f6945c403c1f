import { type FileHandle, open } from 'node:fs/promises';

/** As much may be on its way to the disk when the last byte is written. */
const FLUSH_BYTES = 32 * 1024 * 1024;

/**
 * A new file that the disk is kept busy with while it is written, so that the fsync which makes it durable (the
 * store's, before a checkpoint is published) has little left to wait for. An error of the disk's that a flush was
 * told is told by `write` or `close`: the kernel tells it once.
 */
export class FlushedFile {
  readonly #file: FileHandle;
  #written = 0;
  #flushedAt = 0;
  #flushing: Promise<unknown> | null = null;
  #error: unknown = null;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** For root alone. Rejects where something is there already. */
  static async create(path: string): Promise<FlushedFile> {
    return new FlushedFile(await open(path, 'wx', 0o600));
  }

  /** Bytes so far. */
  get written(): number {
    return this.#written;
  }

  /** Appends all of it. The caller may use the buffer again afterwards. */
  async write(bytes: Buffer): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done);
      done += bytesWritten;
    }
    this.#written += bytes.length;
    if (this.#error !== null) throw this.#error;
    if (this.#flushing === null && this.#written - this.#flushedAt >= FLUSH_BYTES) this.#flush();
  }

  #flush(): void {
    this.#flushedAt = this.#written;
    this.#flushing = this.#file
      .datasync()
      .catch((error: unknown) => {
        this.#error = error;
      })
      .finally(() => {
        this.#flushing = null;
      });
  }

  async close(): Promise<void> {
    await this.#flushing;
    await this.#file.close();
    if (this.#error !== null) throw this.#error;
  }
}
