import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import * as v from 'valibot';
import { asStoreError, codeOf, StoreError } from '../../store-error.ts';
import { mustBeMine } from './guard.ts';
import { atStore } from './threads.ts';

/** A job with 100,000 files open has a manifest of some 20 MB. */
const MOST_RECORD_BYTES = 64 * 1024 * 1024;

/**
 * A small file of the store as text; null where there is none.
 * @throws StoreError for a link, a file of another's or with another name besides, and what is no regular file.
 */
export function readOwnFile(path: string, most = MOST_RECORD_BYTES): Promise<string | null> {
  return atStore(() => read(path, most));
}

async function read(path: string, most: number): Promise<string | null> {
  let file: FileHandle | undefined;
  try {
    // Not blocking, for what turns out to be a fifo.
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const there = await file.stat();
    if (!there.isFile()) throw new StoreError(`${path} is not a regular file: refused`);
    mustBeMine(there, path);
    if ((there.mode & 0o022) !== 0) throw new StoreError(`${path} is writable by others: refused`);
    if (there.nlink > 1) throw new StoreError(`${path} has another name besides (hard link): refused`);
    if (there.size > most) throw new StoreError(`${path} is damaged: longer than ${most} bytes`);
    return (await file.readFile()).toString('utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    if (codeOf(error) === 'ELOOP')
      throw new StoreError(`${path} is a symbolic link: refused`, { cause: error });
    throw asStoreError(error, 'cannot read', path);
  } finally {
    await file?.close();
  }
}

/**
 * The record in a file of JSON; null where there is none.
 * @throws StoreError for a file that is damaged, or of another version than `version`.
 */
export async function readRecord<const Schema extends v.GenericSchema>(
  path: string,
  schema: Schema,
  version: number,
): Promise<v.InferOutput<Schema> | null> {
  const text = await readOwnFile(path);
  if (text === null) return null;
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (error) {
    throw new StoreError(`${path} is damaged: ${(error as Error).message}`, { cause: error });
  }
  const found = (data as { version?: unknown } | null)?.version;
  if (typeof found === 'number' && found !== version) {
    throw new StoreError(`${path} is of version ${found}, and this engine knows version ${version} only`);
  }
  const shaped = fitting(schema, data);
  if ('problem' in shaped) throw new StoreError(`${path} is damaged: ${shaped.problem}`);
  return shaped.value;
}

/** The value without what the schema does not name; or the first thing that does not fit. */
export function fitting<const Schema extends v.GenericSchema>(
  schema: Schema,
  data: unknown,
): { readonly value: v.InferOutput<Schema> } | { readonly problem: string } {
  const { success, output, issues } = v.safeParse(schema, data, { abortEarly: true });
  if (success) return { value: output };
  const [issue] = issues;
  return { problem: `${v.getDotPath(issue) ?? 'the whole'}: ${issue.message.slice(0, 200)}` };
}
