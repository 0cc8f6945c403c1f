#!/usr/bin/env node
import { hostname } from 'node:os';
import packageJson from '../package.json' with { type: 'json' };
import { checkConfig } from './config/check.ts';
import { loadConfig, type Sources } from './config/load.ts';
import { ConfigError } from './config/problem.ts';
import { runDaemon } from './run/daemon.ts';
import { isLockedOut, OPEN_IT } from './run/read-only.ts';
import { systemClock } from './system/clock.ts';
import { lifecycle } from './system/lifecycle.ts';
import { systemLog } from './system/log/log.ts';
import { EX_CONFIG, type Program, runProgram } from './system/program.ts';

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
/** Below TimeoutStopSec of systemd/ckptd.service. */
const STOP_WITHIN_MS = 20_000;

const program: Program = {
  name: 'ckptd',
  version,
  help: HELP,
  configFile: '/etc/ckptd/ckptd.yaml',
  check: (file) => checkConfig(sourcesOf(file)),
  run: (file) => run(sourcesOf(file)),
};

// Not `process.exitCode`: nothing that is still open may keep a daemon that has stopped.
process.exit(await runProgram(program, process.argv.slice(2)));

function sourcesOf(file: string): Sources {
  return { file, env: process.env, hostname: hostname() };
}

async function run(sources: Sources): Promise<number> {
  const log = systemLog();
  try {
    const config = loadConfig(sources);
    log.setLevel(config.log.level);
    const ports = { sources, env: process.env, config, log, clock: systemClock(), version };
    const exitCode = (failure: unknown) => {
      if (!isLockedOut(failure, process.env)) return 1;
      log.fatal({ state_dir: config.stateDir, socket: config.socket.path }, OPEN_IT);
      return EX_CONFIG;
    };
    const options = { log, stopWithinMs: STOP_WITHIN_MS, exitCode };
    return await lifecycle(options, (life) => runDaemon(ports, life));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    log.fatal({ file: sources.file, problems: error.problems }, error.message);
    return EX_CONFIG;
  }
}
