import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import type { Millis } from '../../vocabulary/job.ts';
import { groupOf } from './process-group.ts';

/** A program that answers each line of its standard input with one of its standard output, and ends with its input. */
export interface LineChild extends Disposable {
  /** It runs, as far as is known, and nothing is under way. */
  readonly isFree: boolean;
  /** Writes a line that gets no answer. */
  tell(line: string): void;
  /** Only when it is free. Resolves to the answer, without its end, or to why there is none: it is of no use then. */
  ask(line: string, timeoutMs: Millis): Promise<LineAnswer>;
}

export type LineAnswer =
  | { readonly ok: true; readonly line: string }
  | { readonly ok: false; readonly message: string };

export interface LineProgram {
  /** Absolute path. */
  readonly file: string;
  readonly args: readonly string[];
}

/** From the end of its input to SIGKILL, where nothing is under way. */
const END_MS: Millis = 1_000;
const LONGEST_ANSWER = 1024 * 1024;
const STDERR_CHARACTERS = 500;

/**
 * Starts the program, with a clean environment and a process group of its own, which goes with it. Nothing is
 * waited for: a start that fails shows at the first `ask`. Disposed of, it has what is under way done first.
 */
export function startLineChild({ file, args }: LineProgram): LineChild {
  const started = spawned(file, args);
  if ('problem' in started) return neverStarted(`${file} could not be started: ${started.problem}`);
  const child: ChildProcessWithoutNullStreams = started;
  const group = groupOf(child.pid);
  let [stderr, ended, disposed] = ['', null as string | null, false];
  let answered: ((answer: LineAnswer) => void) | null = null;
  let pieces: string[] = [];

  function over(why: string): void {
    ended ??= why;
    answered?.({ ok: false, message: ended });
  }
  function kill(why: string): void {
    over(why);
    group.kill('SIGKILL');
    // One that hangs in the kernel never dies: it must not keep this process alive.
    for (const stream of child.stdio) stream?.destroy();
    child.unref();
  }
  /** Known before what it said last is. */
  const hasExited = (): boolean => child.exitCode !== null || child.signalCode !== null;
  function killSoon(): void {
    if (disposed && answered === null && !hasExited())
      setTimeout(() => kill(`${file} did not end`), END_MS).unref();
  }

  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = `${stderr}${text}`.slice(-STDERR_CHARACTERS);
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const end = text.indexOf('\n');
    pieces.push(end < 0 ? text : text.slice(0, end));
    const isMore = answered === null || (end >= 0 && end < text.length - 1);
    if (isMore || pieces.reduce((sum, { length }) => sum + length, 0) > LONGEST_ANSWER)
      return kill(`${file} says more than it was asked for`);
    if (end >= 0) answered?.({ ok: true, line: pieces.join('') });
  });
  // Told by what ends it.
  child.stdin.on('error', () => undefined);
  child.on('error', (error) => over(`${file} could not be started: ${error.message}`));
  child.on('exit', () => group.kill('SIGKILL'));
  child.on('close', (code, by) => {
    const said = stderr.toWellFormed().trim();
    over(`${file} ${code === null ? `was ended by ${by}` : `exited with ${code}`}${said && `: ${said}`}`);
  });
  return {
    get isFree() {
      return ended === null && answered === null && !disposed && !hasExited();
    },
    tell: (line) => void child.stdin.write(`${line}\n`),
    async ask(line, timeoutMs) {
      if (ended !== null) return { ok: false, message: ended };
      const { promise, resolve } = Promise.withResolvers<LineAnswer>();
      answered = resolve;
      pieces = [];
      child.stdin.write(`${line}\n`);
      const timer = setTimeout(() => kill(`${file} took longer than ${timeoutMs} ms`), timeoutMs);
      try {
        return await promise;
      } finally {
        clearTimeout(timer);
        answered = null;
        killSoon();
      }
    },
    [Symbol.dispose]() {
      if (disposed) return;
      disposed = true;
      child.stdin.end();
      killSoon();
    },
  };
}

/** Where there is no memory spawn throws; where no descriptor is left the child has no streams, and an error to come. */
function spawned(
  file: string,
  args: readonly string[],
): ChildProcessWithoutNullStreams | { problem: string } {
  try {
    const child = spawn(file, args, {
      cwd: '/',
      env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8', LC_ALL: 'C' },
      stdio: 'pipe',
      detached: true,
    });
    if ((child as ChildProcess).stdin) return child;
    child.on('error', () => undefined);
    return { problem: 'there are too many open files' };
  } catch (error) {
    return { problem: (error as Error).message };
  }
}

function neverStarted(message: string): LineChild {
  return {
    isFree: false,
    tell: () => undefined,
    ask: async () => ({ ok: false, message }),
    [Symbol.dispose]: () => undefined,
  };
}
