import type { ChildProcess } from 'node:child_process';
import { isAbsolute } from 'node:path';
import type { Options } from 'execa';
import type { Millis } from '../../vocabulary/job.ts';
import type { CommandResult } from '../ports.ts';
import { groupOf } from './process-group.ts';

export interface ChildSpec {
  readonly file: string;
  readonly args: readonly string[];
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: Millis;
  readonly killAfterMs: Millis;
  /** Of standard output and of standard error each. */
  readonly maxBytes: number;
  /** Bytes, or a descriptor. */
  readonly stdin?: Uint8Array | number | undefined;
  /** A descriptor. */
  readonly output?: number | undefined;
  readonly signal: AbortSignal | undefined;
}

type Ending = 'timeout' | 'aborted';

/** How long to wait for a killed child's pipes: a child that hangs in the kernel never dies. */
const GIVE_UP_MS: Millis = 1_000;
/** How long others of the group may keep the pipes of a child that has ended. */
const LINGER_MS: Millis = 500;
const STDERR_CHARACTERS = 2_000;
const CANNOT_START = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'ENOEXEC', 'ELOOP', 'EISDIR']);

/**
 * Runs one child to its end. The child leads a process group of its own, so that programs it started die with it. A
 * program that ignores SIGTERM gets SIGKILL.
 */
export async function runChild(spec: ChildSpec): Promise<CommandResult> {
  if (!isAbsolute(spec.file)) return failure('missing', null, `${spec.file} is not an absolute path`);
  // execa throws for these.
  if (spec.args.some((arg) => arg.includes('\0')))
    return failure('aborted', null, 'an argument holds a NUL byte');
  // execa takes 20 MB of resident memory, so only a process that runs commands loads it.
  const { execa } = await import('execa');
  const options = {
    cwd: '/',
    env: spec.env,
    extendEnv: false,
    stdin: 'ignore',
    encoding: 'buffer',
    stripFinalNewline: false,
    maxBuffer: spec.maxBytes,
    forceKillAfterDelay: spec.killAfterMs,
    detached: true,
    cleanup: false,
    reject: false,
  } as const satisfies Options;
  const child = execa(spec.file, spec.args, { ...options, ...inputOf(spec), ...outputOf(spec) });
  const group = groupOf(child.pid);
  let ending: Ending | null = null;
  const timers: NodeJS.Timeout[] = [];
  const after = (ms: Millis, act: () => void) => timers.push(setTimeout(act, ms));
  const gaveUp = Promise.withResolvers<null>();
  const end = (why: Ending) => {
    if (ending) return;
    ending = why;
    group.kill('SIGTERM');
    after(spec.killAfterMs, () => {
      group.kill('SIGKILL');
      after(GIVE_UP_MS, () => {
        abandon(child.nodeChildProcess);
        gaveUp.resolve(null);
      });
    });
  };
  // Also if execa ended it because of its output: it still waits for processes that hold the other pipe.
  child.nodeChildProcess.once('exit', () => after(LINGER_MS, () => group.kill('SIGKILL')));
  const onAbort = () => end('aborted');
  after(spec.timeoutMs, () => end('timeout'));
  spec.signal?.addEventListener('abort', onAbort, { once: true });
  if (spec.signal?.aborted) onAbort();
  try {
    const result = await Promise.race([child, gaveUp.promise]);
    if (ending || result?.isMaxBuffer) group.kill('SIGKILL');
    return told(spec, result, ending);
  } finally {
    for (const timer of timers) clearTimeout(timer);
    spec.signal?.removeEventListener('abort', onAbort);
  }
}

/** execa accepts any descriptor, but its types only those up to 9. */
function inputOf({ stdin }: ChildSpec): { stdin?: 0; input?: Uint8Array } {
  if (typeof stdin === 'number') return { stdin: stdin as 0 };
  return stdin === undefined ? {} : { stdin: 'pipe' as unknown as 0, input: stdin };
}

function outputOf({ output }: ChildSpec): { stdout?: 1; stderr?: 1 } {
  return output === undefined ? {} : { stdout: output as 1, stderr: output as 1 };
}

/** The part of execa's result that is used here. */
interface Ended {
  readonly failed: boolean;
  readonly isMaxBuffer: boolean;
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
  readonly code?: string | undefined;
  readonly stdout?: Uint8Array | undefined;
  readonly stderr?: Uint8Array | undefined;
}

/** Abandons a child that SIGKILL did not end: its pipes must not keep this process waiting or alive. */
function abandon(child: Pick<ChildProcess, 'stdout' | 'stderr' | 'unref'>): void {
  child.stdout?.destroy();
  child.stderr?.destroy();
  child.unref();
}

function told(spec: ChildSpec, result: Ended | null, ending: Ending | null): CommandResult {
  const stdout = bytes(result?.stdout);
  const exitCode = result?.exitCode ?? null;
  if (result && !result.failed && !ending) return { ok: true, stdout };
  const [why, what] = reason(spec, result, ending);
  const stderr = bytes(result?.stderr).toString('utf8').slice(0, STDERR_CHARACTERS).toWellFormed();
  const message = `${spec.file} ${what}${stderr.trim() ? `: ${stderr.trim()}` : ''}`;
  return { ok: false, why, exitCode, stdout, stderr, message };
}

type Why = Extract<CommandResult, { ok: false }>['why'];

function reason(spec: ChildSpec, result: Ended | null, ending: Ending | null): [Why, string] {
  if (ending === 'timeout') return ['timeout', `took longer than ${spec.timeoutMs} ms`];
  if (ending === 'aborted' || !result) return ['aborted', 'was aborted'];
  if (result.isMaxBuffer) return ['too-much-output', `wrote more than ${spec.maxBytes} bytes`];
  if (result.exitCode !== undefined) return ['exit', `exited with ${result.exitCode}`];
  if (result.signal !== undefined) return ['signal', `was ended by ${result.signal}`];
  const code = result.code ?? 'an unknown error';
  return [CANNOT_START.has(code) ? 'missing' : 'aborted', `could not be started (${code})`];
}

function failure(why: Why, exitCode: number | null, message: string): CommandResult {
  return { ok: false, why, exitCode, stdout: Buffer.alloc(0), stderr: '', message };
}

function bytes(output: Uint8Array | undefined): Buffer {
  return output ? Buffer.from(output.buffer, output.byteOffset, output.byteLength) : Buffer.alloc(0);
}
