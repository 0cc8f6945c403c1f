import type { EpochMs } from '../vocabulary/job.ts';

/** Readers of single fields; undefined means that the text is none of the forms that Slurm prints. */

/** A plain number. Slurm may shorten counts (`2K` is 2,048) in spite of `--noconvert`. */
export function readCount(text: string): number | undefined {
  const parts = /^(\d{1,15})([KMG]?)$/.exec(text);
  return parts
    ? Number(parts[1]) * { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }[parts[2] as '']
    : undefined;
}

export function readId(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

/** `N/A` is null. */
export function readIdOrNone(text: string): number | null | undefined {
  return text === 'N/A' ? null : readId(text);
}

/** Epoch seconds (`SLURM_TIME_FORMAT=%s`); `N/A` and its kin are null. */
export function readTime(text: string): EpochMs | null | undefined {
  if (/^(N\/A|NONE|None|Unknown|\(null\)|0)$/.test(text)) return null;
  return /^\d{9,11}$/.test(text) ? Number(text) * 1000 : undefined;
}

export function readFlag(text: string): boolean | undefined {
  return text === '1' ? true : text === '0' ? false : undefined;
}

/** An upper-case word such as a job's state. */
export function readWord(text: string): string | undefined {
  return /^[A-Z][A-Z_]{0,40}$/.test(text) ? text : undefined;
}

/** The name of one node; `n/a` and its kin are null. */
export function readHost(text: string): string | null | undefined {
  if (text === '' || text === 'n/a' || text === '(null)') return null;
  return /^[A-Za-z0-9._-]{1,255}$/.test(text) ? text : undefined;
}

/** Free text; `(null)` is empty. */
export function readText(text: string): string {
  return text === '(null)' ? '' : text;
}
