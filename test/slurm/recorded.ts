import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Mark } from '../../daemon/slurm/rows.ts';
import type { CommandResult } from '../../daemon/system/ports.ts';

/** One release of Slurm, recorded (`fixtures/README.md`). */
export interface Recording {
  readonly slurm: string;
  readonly mark: Mark;
  readonly cases: Readonly<Record<string, RecordedCase>>;
}

export interface RecordedCase {
  readonly jobId: number;
  readonly exitCode: number;
  /** Latin-1: one character a byte. */
  readonly stdout: string;
  readonly stderr: string;
}

export const RELEASES = ['22.05', '24.11', '26.05'] as const;

export function recording(release: string): Recording {
  return JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures', `slurm-${release}.json`), 'utf8'));
}

/** What the runner would have made of it. */
export function resultOf({ exitCode, stdout, stderr }: RecordedCase): CommandResult {
  const bytes = Buffer.from(stdout, 'latin1');
  if (exitCode === 0) return { ok: true, stdout: bytes };
  const text = Buffer.from(stderr, 'latin1').toString('utf8');
  return {
    ok: false,
    why: 'exit',
    exitCode,
    stdout: bytes,
    stderr: text,
    message: `exited with ${exitCode}: ${text}`,
  };
}
