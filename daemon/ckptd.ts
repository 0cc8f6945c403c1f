#!/usr/bin/env node
import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import packageJson from '../package.json' with { type: 'json' };
import { checkConfig } from './config/check.ts';
import { loadConfig, type Sources } from './config/load.ts';
import { ConfigError } from './config/problem.ts';
import { runDaemon } from './run/daemon.ts';
import { systemClock } from './system/clock.ts';
import { lifecycle } from './system/lifecycle.ts';
import { systemLog } from './system/log.ts';

const HELP = `Usage: ckptd run   --config FILE
       ckptd check --config FILE

ckptd keeps Slurm jobs alive when their node goes away.

Commands:
  run      watch this node, checkpoint its jobs and have them restored elsewhere
  check    say what the configuration means, or all that is wrong with it

Options:
  -c, --config FILE   default: /etc/ckptd/ckptd.yaml
  -h, --help
  -V, --version

Exit status: 0 stopped in good order, 1 failed, 64 wrong usage, 78 bad configuration (see sysexits.h).
`;

const { version } = packageJson;
const EX_USAGE = 64;
const EX_CONFIG = 78;
/** Below TimeoutStopSec of systemd/ckptd.service. */
const STOP_WITHIN_MS = 20_000;

// Not `process.exitCode`: nothing that is still open may keep a daemon that has stopped.
process.exit(await main(process.argv.slice(2)));

async function main(argv: string[]): Promise<number> {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(argv);
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error));
  }
  const { values, positionals } = parsed;
  if (values.help) return print(HELP);
  if (values.version) return print(`ckptd ${version}\n`);
  const sources: Sources = { file: values.config, env: process.env, hostname: hostname() };
  const [command, ...rest] = positionals;
  if (rest.length > 0) return usage(`too many arguments: ${rest.join(' ')}`);
  if (command === 'check') return check(sources);
  if (command === 'run') return run(sources);
  return usage(command === undefined ? 'a command is missing' : `unknown command: ${command}`);
}

function parse(args: string[]) {
  return parseArgs({
    args,
    allowPositionals: true,
    options: {
      config: { type: 'string', short: 'c', default: '/etc/ckptd/ckptd.yaml' },
      help: { type: 'boolean', short: 'h', default: false },
      version: { type: 'boolean', short: 'V', default: false },
    },
  });
}

function check(sources: Sources): number {
  const { ok, text } = checkConfig(sources);
  (ok ? process.stdout : process.stderr).write(`${text}\n`);
  return ok ? 0 : EX_CONFIG;
}

async function run(sources: Sources): Promise<number> {
  const log = systemLog();
  try {
    const config = loadConfig(sources);
    log.setLevel(config.log.level);
    const ports = { sources, env: process.env, config, log, clock: systemClock(), version };
    return await lifecycle({ log, stopWithinMs: STOP_WITHIN_MS }, (life) => runDaemon(ports, life));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    log.fatal({ file: sources.file, problems: error.problems }, error.message);
    return EX_CONFIG;
  }
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}

function usage(problem: string): number {
  process.stderr.write(`ckptd: ${problem}\n\n${HELP}`);
  return EX_USAGE;
}
