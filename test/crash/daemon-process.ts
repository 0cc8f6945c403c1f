import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';

export interface DaemonFiles {
  /** `daemon/ckptd.ts`, or a bundle of it. */
  readonly program: string;
  readonly config: string;
  readonly log: string;
  readonly socket: string;
  readonly compileCache: string;
  readonly nodeFlags?: readonly string[];
}

/** The real daemon as a process of its own, started again and again. */
export class DaemonProcess {
  /** Ends that nobody asked for. */
  readonly crashes: string[] = [];
  readonly #files: DaemonFiles;
  #child: ChildProcess | null = null;
  #exit: Promise<unknown> = Promise.resolve();

  constructor(files: DaemonFiles) {
    this.#files = files;
  }

  start(): void {
    const { program, config, log, compileCache, nodeFlags = [] } = this.#files;
    const fd = openSync(log, 'a');
    const child = spawn(process.execPath, [...nodeFlags, program, 'run', '--config', config], {
      stdio: ['ignore', fd, fd],
      env: { PATH: '/usr/bin:/bin', NODE_COMPILE_CACHE: compileCache },
    });
    closeSync(fd);
    this.#child = child;
    this.#exit = once(child, 'exit').then(([code, signal]) => {
      if (this.#child === child) this.crashes.push(`the daemon ended by itself: ${code ?? signal}`);
    });
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get running(): boolean {
    return this.#child !== null;
  }

  /** SIGKILL, before this returns. */
  kill(): void {
    const child = this.#child;
    this.#child = null;
    child?.kill('SIGKILL');
  }

  /** SIGTERM; resolves with what the exit was. */
  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    child?.kill('SIGTERM');
    await this.#exit;
    if (child !== null && child.exitCode !== 0)
      this.crashes.push(`stopped with ${child.exitCode ?? child.signalCode}`);
  }

  gone(): Promise<unknown> {
    return this.#exit;
  }

  /** What the daemon's socket answers; null while nobody does. */
  async ask(
    path: string,
    method = 'GET',
    body: object = {},
  ): Promise<{ status: number; body: unknown } | null> {
    const { promise, resolve } = Promise.withResolvers<{ status: number; body: unknown } | null>();
    const call = request({ socketPath: this.#files.socket, path, method, agent: false, timeout: 10_000 });
    call.on('error', () => resolve(null)).on('timeout', () => call.destroy());
    call.on('response', (response) => {
      text(response).then(
        (said) => resolve({ status: response.statusCode ?? 0, body: parsed(said) }),
        () => resolve(null),
      );
    });
    call.end(method === 'GET' ? undefined : JSON.stringify(body));
    return promise;
  }
}

function parsed(said: string): unknown {
  try {
    return JSON.parse(said);
  } catch {
    return said;
  }
}
