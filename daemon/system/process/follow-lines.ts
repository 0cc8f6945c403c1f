import { spawn } from 'node:child_process';
import type { Millis } from '../../vocabulary/job.ts';
import { groupOf } from './process-group.ts';

/** A program that runs for the lines that it prints. */
export interface FollowedProgram {
  /** Absolute path. */
  readonly file: string;
  readonly args: readonly string[];
}

/** From SIGTERM to SIGKILL. */
const KILL_AFTER_MS: Millis = 1_000;
/** A longer line is dropped. */
const LONGEST_LINE = 8_192;
const STDERR_CHARACTERS = 500;

/**
 * Runs a program until it ends or the signal aborts, and passes on each line of its standard output as it comes. The
 * program has a clean environment and a process group of its own, which ends with it. Never rejects: resolves with how
 * the program ended, in words.
 */
export async function followLines(
  { file, args }: FollowedProgram,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<string> {
  if (signal.aborted) return `${file} was not started`;
  const ended = Promise.withResolvers<string>();
  const child = spawn(file, args, {
    cwd: '/',
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = `${stderr}${text}`.slice(-STDERR_CHARACTERS);
  });
  child.stdout.setEncoding('utf8').on('data', splitter(onLine));
  child.on('error', (error) => ended.resolve(`${file} could not be started: ${error.message}`));
  child.on('close', (code, by) => {
    const how = code === null ? `was ended by ${by}` : `exited with ${code}`;
    const said = stderr.toWellFormed().trim();
    ended.resolve(`${file} ${how}${said === '' ? '' : `: ${said}`}`);
  });

  const group = groupOf(child.pid);
  // Programs that it started must not keep its pipes open.
  child.on('exit', () => group.kill('SIGKILL'));
  let killing: NodeJS.Timeout | undefined;
  const onAbort = () => {
    group.kill('SIGTERM');
    killing = setTimeout(() => group.kill('SIGKILL'), KILL_AFTER_MS);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await ended.promise;
  } finally {
    clearTimeout(killing);
    signal.removeEventListener('abort', onAbort);
  }
}

/** Splits chunks of text into lines. */
function splitter(onLine: (line: string) => void): (text: string) => void {
  let rest = '';
  return (text) => {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LONGEST_LINE) rest = '';
    for (const line of lines) onLine(line);
  };
}
