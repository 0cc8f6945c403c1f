import type { EpochMs, Millis } from '../vocabulary/job.ts';

/** The daemon's time: wall-clock milliseconds that never go backwards within a process. */
export interface Clock {
  now(): EpochMs;
  /** Resolves after `ms`, or rejects with the signal's reason. */
  sleep(ms: Millis, signal?: AbortSignal): Promise<void>;
}

/** The part of pino's logger that the daemon uses: fields first, then a sentence. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** An administrator has to act. */
  fatal(fields: object, message: string): void;
}

/** One command to run. */
export interface Command {
  /** At most one command of a kind runs; others wait. Also the label in logs and counters. */
  readonly kind: string;
  /** Absolute path of the program. */
  readonly file: string;
  readonly args: readonly string[];
  readonly timeoutMs: Millis;
  /** Added to the clean environment; the daemon's own environment is never inherited. */
  readonly env?: Readonly<Record<string, string>>;
  /** Standard output and error are cut, and the command killed, past this many bytes. */
  readonly maxBytes?: number;
  /** Standard input: these bytes, or an open file's descriptor, which the caller closes. Default: empty. */
  readonly stdin?: Uint8Array | number;
  /** Standard output and error: an open file's descriptor, which the caller closes. Default: the result has them. */
  readonly output?: number;
}

/** How a command ended. */
export type CommandResult =
  | { readonly ok: true; readonly stdout: Buffer }
  | {
      readonly ok: false;
      readonly why: 'missing' | 'timeout' | 'too-much-output' | 'exit' | 'signal' | 'aborted';
      readonly exitCode: number | null;
      readonly stdout: Buffer;
      /** Valid Unicode, at most 2,000 characters. */
      readonly stderr: string;
      readonly message: string;
    };

/** Runs commands; never throws for what a command does. */
export interface Exec {
  run(command: Command, signal?: AbortSignal): Promise<CommandResult>;
}
