import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, expect, test } from 'vitest';

class Child implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly lines: string[] = [];
  #log = '';
  #wake = () => {};

  constructor(what: string) {
    const file = join(import.meta.dirname, 'fixtures/lifecycle-child.ts');
    this.#process = spawn(process.execPath, [file, what], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#ended = once(this.#process, 'close');
    createInterface({ input: this.#process.stdout! }).on('line', (line) => {
      this.lines.push(line);
      this.#wake();
    });
    this.#process.stderr!.on('data', (chunk) => {
      this.#log += chunk;
      this.#wake();
    });
  }

  async #until(found: () => boolean): Promise<void> {
    while (!found()) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  printed(line: string, times = 1): Promise<void> {
    return this.#until(() => this.lines.filter((other) => other === line).length >= times);
  }

  logged(text: string): Promise<void> {
    return this.#until(() => this.#log.includes(text));
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  async exit(): Promise<{ code: number | null; log: string }> {
    await this.#ended;
    return { code: this.#process.exitCode, log: this.#log };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }
}

let children: Child[] = [];
afterEach(async () => {
  for (const child of children) await child[Symbol.asyncDispose]();
  children = [];
});
async function start(what: string, up = true): Promise<Child> {
  const child = new Child(what);
  children.push(child);
  if (up) await child.printed('up');
  return child;
}
const CLOSED = ['second resource closed', 'first resource closed'];

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s: the work stops, resources close last-in first-out, exit 0',
  async (signal) => {
    const child = await start('run');
    child.kill(signal);
    expect((await child.exit()).code).toBe(0);
    expect(child.lines).toEqual(['up', ...CLOSED]);
  },
);

test('work that throws the reason of the stop ends well', async () => {
  const child = await start('abort');
  child.kill('SIGTERM');
  expect((await child.exit()).code).toBe(0);
});

test('a second signal exits at once', async () => {
  const child = await start('slow');
  child.kill('SIGTERM');
  await child.logged('stopping');
  child.kill('SIGTERM');
  const { code, log } = await child.exit();
  expect(code).toBe(128 + 15);
  expect(log).toContain('second signal');
  expect(child.lines).toEqual(['up']);
});

test('a stop that outlasts its deadline exits with 1', async () => {
  const child = await start('hang');
  child.kill('SIGTERM');
  const { code, log } = await child.exit();
  expect(code).toBe(1);
  expect(log).toContain('takes too long');
});

test('SIGHUP reloads, and again', async () => {
  const child = await start('run');
  child.kill('SIGHUP');
  await child.printed('reloaded');
  child.kill('SIGHUP');
  await child.printed('reloaded', 2);
  child.kill('SIGTERM');
  expect((await child.exit()).code).toBe(0);
});

test.each(['reject', 'uncaught'])('what nobody caught (%s) is a fatal line and exit 1', async (what) => {
  const { code, log } = await (await start(what, false)).exit();
  expect(code).toBe(1);
  const fatal = log.split('\n').find((line) => line.includes('"fatal"')) ?? '';
  expect(JSON.parse(fatal).err).toMatchObject({ message: 'nobody caught me' });
});

test('an error of main is logged, closes the resources, and exits 1', async () => {
  const child = await start('throw', false);
  const { code, log } = await child.exit();
  expect(code).toBe(1);
  expect(log).toContain('main failed');
  expect(child.lines).toEqual(CLOSED);
});
