import { exec } from './exec.ts';
import { LabError } from './lab-error.ts';

/** Words of a command, or a line for `sh -c`. */
export type Argv = readonly string[] | string;

export interface RunOptions {
  /** Name of a user of the node; default root. */
  user?: string;
  /** Added to a clean login environment. */
  env?: Record<string, string>;
  /** Default `/`. */
  cwd?: string;
  /** Standard input; default empty. */
  input?: string | Uint8Array;
  /** The command is killed after this time; default 60 s. */
  timeoutMs?: number;
  /** Whether an exit code other than 0, or a timeout, is a LabError; default true. */
  reject?: boolean;
}

export interface RunResult {
  stdout: string;
  stderr: string;
  /** 128 + signal for a command that a signal ended, as a shell counts; 124 or 137 after a timeout. */
  exitCode: number;
}

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Runs a command in all namespaces of a container. It is over when the command has ended and its output is closed:
 * something left in the background must not hold on to stdout.
 */
export async function runInside(
  container: { name: string; initPid: number },
  command: Argv,
  options: RunOptions,
): Promise<RunResult> {
  const { user = 'root', cwd = '/', timeoutMs = 60_000, reject = true } = options;
  const words = typeof command === 'string' ? ['sh', '-c', command] : command;
  const home = user === 'root' ? '/root' : `/home/${user}`;
  const env = {
    PATH: path,
    HOME: home,
    USER: user,
    LOGNAME: user,
    SHELL: '/bin/bash',
    LANG: 'C.UTF-8',
    ...options.env,
  };
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const enter = ['--target', `${container.initPid}`, '-m', '-u', '-i', '-n', '-p', '-C', '--root', '--wd'];
  const become = user === 'root' ? [] : ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups'];
  // The limit is set inside: killing nsenter would leave the command running.
  const limit = ['timeout', '--kill-after=2', `${timeoutMs / 1000}`];
  const argv = [...enter, 'env', '-i', `--chdir=${cwd}`, ...variables, ...become, ...limit, ...words];
  const started = performance.now();
  const { stdout, stderr, exitCode, shortMessage } = await exec('nsenter', argv, {
    input: options.input ?? '',
    reject: false,
    stripFinalNewline: false,
  });
  const result = { stdout, stderr, exitCode: exitCode ?? 128 };
  if (reject && (exitCode === undefined || exitCode !== 0)) {
    const late = performance.now() - started >= timeoutMs;
    const how =
      exitCode === undefined ? shortMessage : late ? `took over ${timeoutMs} ms` : `exited with ${exitCode}`;
    const said = `${stdout}${stderr}`.trimEnd().split('\n').slice(-20).join('\n');
    throw new LabError(`${container.name}: ${words.join(' ')} ${how}\n${said}`);
  }
  return result;
}
