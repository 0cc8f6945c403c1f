import type { Check } from '../../config/check.ts';
import { ConfigError } from '../../config/problem.ts';
import type { EngineConfig } from './config.ts';
import { type EngineSources, loadEngineConfig } from './load.ts';

/** `ckptd-engine check`: whether the engine would start with this file, and what it would do. */
export function checkEngineConfig(sources: EngineSources): Check {
  try {
    const config = loadEngineConfig(sources);
    return { ok: true, text: [`OK ${sources.file}`, ...summary(config)].join('\n') };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { ok: false, text: error.message };
  }
}

function summary(config: EngineConfig): string[] {
  const { clusterId, dir, keep, criu, scratch, compress, socket, listen, tokenFile, slurm } = config;
  const tcp = listen === null ? '' : `, and ${addressText(listen)} with the token in ${tokenFile}`;
  const rows: readonly (readonly [string, string])[] = [
    ['node', `${slurm.node} of cluster ${clusterId}`],
    ['store', `${dir}, ${keep} of each job, ${compress === 'zstd' ? 'with zstd' : 'not compressed'}`],
    ['criu', criu],
    ['scratch', scratch.join(', ') || 'none'],
    ['api', `unix:${socket.path}${tcp}`],
  ];
  return rows.map(([name, value]) => `  ${name.padEnd(10)} ${value}`);
}

/** As `listen` has it. */
export function addressText({ host, port }: NonNullable<EngineConfig['listen']>): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
