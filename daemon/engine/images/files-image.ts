/** Of criu/include/magic.h: an image of the second generation, and what is in this one. */
const IMG_COMMON_MAGIC = 0x54564319;
const FILES_MAGIC = 0x56303138;

/**
 * The entries of CRIU's `files.img`, messages `file_entry` of images/fdinfo.proto, as views into `image`. A string
 * says what is wrong with it.
 */
export function filesEntries(image: Buffer): Buffer[] | string {
  if (image.length < 8 || image.readUInt32LE(0) !== IMG_COMMON_MAGIC || image.readUInt32LE(4) !== FILES_MAGIC)
    return 'files.img is none of CRIU';
  const entries: Buffer[] = [];
  for (let at = 8; at < image.length; ) {
    const begin = at + 4;
    if (begin > image.length) return 'files.img is cut';
    const end = begin + image.readUInt32LE(at);
    if (end > image.length) return 'files.img is cut';
    entries.push(image.subarray(begin, end));
    at = end;
  }
  return entries;
}
