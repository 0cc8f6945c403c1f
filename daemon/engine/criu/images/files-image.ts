import { entriesOf } from './entries.ts';

/** FILES_MAGIC of criu/include/magic.h. */
const FILES = { name: 'files.img', magic: 0x56303138 };

/**
 * The entries of CRIU's `files.img`, messages `file_entry` of images/fdinfo.proto, as views into `image`. A string
 * says what is wrong with it.
 */
export function filesEntries(image: Buffer): Buffer[] | string {
  return entriesOf(image, FILES);
}
