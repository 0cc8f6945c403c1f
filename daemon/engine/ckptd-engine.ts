#!/usr/bin/env node
import { hostname } from 'node:os';
import { dirname, extname, join } from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };
import { ConfigError } from '../config/problem.ts';
import { systemClock } from '../system/clock.ts';
import { lifecycle } from '../system/lifecycle.ts';
import { systemLog } from '../system/log/log.ts';
import { EX_CONFIG, type Program, runProgram } from '../system/program.ts';
import { checkEngineConfig } from './config/check.ts';
import { type EngineSources, loadEngineConfig } from './config/load.ts';
import { runEngine } from './engine.ts';

const HELP = `Usage: ckptd-engine run   --config FILE
       ckptd-engine check --config FILE

ckptd-engine checkpoints and restores this node's Slurm jobs with CRIU.

Commands:
  run      serve the API that ckptd asks, and the SPANK plugin
  check    say what the configuration means, or all that is wrong with it

Options:
  -c, --config FILE   default: /etc/ckptd/engine.yaml
  -h, --help
  -V, --version

Exit status: 0 stopped in good order, 1 failed, 64 wrong usage, 78 bad configuration (see sysexits.h).
`;

const { version } = packageJson;
/** Below TimeoutStopSec of systemd/ckptd-engine.service. */
const STOP_WITHIN_MS = 60_000;

const program: Program = {
  name: 'ckptd-engine',
  version,
  help: HELP,
  configFile: '/etc/ckptd/engine.yaml',
  check: (file) => checkEngineConfig(sourcesOf(file)),
  run: (file) => run(sourcesOf(file)),
};

// Not `process.exitCode`: nothing that is still open may keep a daemon that has stopped.
process.exit(await runProgram(program, process.argv.slice(2)));

function sourcesOf(file: string): EngineSources {
  return { file, hostname: hostname(), asOwner: asOwner() };
}

/** The bundle lies beside this one's; in a checkout it is the source. */
function asOwner(): string {
  const { filename } = import.meta;
  return join(
    dirname(filename),
    extname(filename) === '.ts' ? 'owner/program/main.ts' : 'ckptd-as-owner.mjs',
  );
}

async function run(sources: EngineSources): Promise<number> {
  const log = systemLog();
  try {
    const config = loadEngineConfig(sources);
    log.setLevel(config.log.level);
    const options = { config, log, clock: systemClock(), env: process.env, version };
    return await lifecycle({ log, stopWithinMs: STOP_WITHIN_MS }, (life) => runEngine(options, life));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    log.fatal({ file: sources.file, problems: error.problems }, error.message);
    return EX_CONFIG;
  }
}
