import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import type { HeartbeatRule, JobRule } from '../vocabulary/policy.ts';
import type { Config } from './config.ts';
import { loadConfig, type Sources } from './load.ts';
import { ConfigError } from './problem.ts';
import { formatDuration } from './schema/duration.ts';

/** What the daemon cannot do without, of Slurm's programs. */
const PROGRAMS = ['squeue', 'scontrol', 'sinfo', 'scancel'];

export interface Check {
  readonly ok: boolean;
  /** For a terminal, without a line break at its end: a summary, or one line a problem. */
  readonly text: string;
}

/** `ckptd check`: whether the daemon would start with this file, and what it would do. */
export function checkConfig(sources: Sources): Check {
  try {
    const config = loadConfig(sources);
    return { ok: true, text: [`OK ${sources.file}`, ...summary(config), ...warnings(config)].join('\n') };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { ok: false, text: error.message };
  }
}

function summary({ clusterId, api, slurm, heartbeat, policies, restore, notices }: Config): string[] {
  const rows: readonly (readonly [string, string])[] = [
    ['node', `${slurm.node} of cluster ${clusterId}`],
    ['api', `${api.url}${tokenText(api)}`],
    ['heartbeat', `${heartbeatText(heartbeat)}, ${heartbeat.concurrency} at once`],
    ...policies.map((rule, index) => [`policy ${index + 1}`, policyText(rule)] as const),
    ['restore', restoreText(restore)],
    ['notices', notices.providers.join(', ') || 'none'],
  ];
  return rows.map(([name, value]) => `  ${name.padEnd(10)} ${value}`);
}

/** What may be right on the node itself, where the check is made elsewhere. */
function warnings({ slurm: { bin }, stateDir, socket }: Config): string[] {
  const missing = PROGRAMS.filter((name) => !isProgram(join(bin, name)));
  const locked = (key: string, path: string, own: string) =>
    `${path}/`.startsWith(`${own}/`)
      ? []
      : [`WARNING ${key}: outside of ${own} it needs ReadWritePaths= in a drop-in of ckptd.service`];
  return [
    ...(missing.length === 0
      ? []
      : [`WARNING slurm.bin: ${bin} has no ${missing.join(', ')}; on the node no job would be saved`]),
    ...locked('state_dir', stateDir, '/var/lib/ckptd'),
    ...locked('socket.path', socket.path, '/run/ckptd'),
  ];
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function tokenText({ tokenFile, token, socketPath }: Config['api']): string {
  if (tokenFile !== null) return `, token in ${tokenFile}`;
  if (token !== null) return ', token in CEDANA_AUTH_TOKEN';
  return socketPath === null ? ', token from the systemd credential' : '';
}

function heartbeatText({ trigger, splay, minAge, kind }: HeartbeatRule): string {
  const when = 'cron' in trigger ? `"${trigger.cron}"` : `every ${formatDuration(trigger.every)}`;
  return `${when}, spread over ${formatDuration(splay)}, ${kind}, jobs older than ${formatDuration(minAge)}`;
}

function policyText({ match, enabled, resume, heartbeat }: JobRule): string {
  const which =
    Object.entries(match)
      .map(([field, glob]) => `${field} ${glob}`)
      .join(', ') || 'every job';
  const anew = resume ? '' : ', anew after a requeue';
  return `${which}: ${enabled ? heartbeatText(heartbeat) + anew : 'left alone'}`;
}

function restoreText({ onDrain, onTermination, finalCheckpoint, sourceJob }: Config['restore']): string {
  const when = [...(onDrain ? ['drain'] : []), ...(onTermination ? ['termination'] : [])];
  if (when.length === 0) return 'by hand only';
  const before = finalCheckpoint ? ', after a final checkpoint' : '';
  return `on ${when.join(' and ')}${before}; the old job ${sourceJob === 'cancel' ? 'is cancelled' : 'is left to Slurm'}`;
}
