import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { byPlace } from '../../config/load.ts';
import { issueProblems, type Origin, problemAt, syntaxProblems } from '../../config/origin.ts';
import { ConfigError } from '../../config/problem.ts';
import { readText } from '../../config/read-text.ts';
import { NODE_NAME } from '../../config/schema/file-schema.ts';
import { parseYaml } from '../../config/yaml/yaml-text.ts';
import type { EngineConfig } from './config.ts';
import { engineFileSchema } from './schema.ts';

export interface EngineSources {
  /** Path of engine.yaml, as problems shall name it. */
  readonly file: string;
  /** This machine's; what is before its first dot is the default of `slurm.node`. */
  readonly hostname: string;
  /** The program ckptd-as-owner that came with this one. */
  readonly asOwner: string;
}

/** The engine's configuration. Throws ConfigError, with everything that is wrong at once, and nothing else. */
export function loadEngineConfig(sources: EngineSources): EngineConfig {
  return parseEngineConfig(readText(sources.file), sources);
}

/** The configuration of a file's text. Throws ConfigError and nothing else. */
export function parseEngineConfig(text: string, { file, hostname, asOwner }: EngineSources): EngineConfig {
  const yaml = parseYaml(text);
  const data = yaml.data ?? {};
  const origin: Origin = { file, yaml, filled: { data, fromVariable: [], missing: [] } };
  const { output, issues, success } = v.safeParse(engineFileSchema, data);
  const problems = [...syntaxProblems(origin), ...issueProblems(issues ?? [], origin)];
  if (!success) throw new ConfigError(problems.toSorted(byPlace));
  const { slurm, listen, token_file: tokenFile = null } = output;
  const node = slurm.node ?? hostname.replace(/\..*/s, '');
  if (!NODE_NAME.test(node)) {
    const reason = 'is missing, and the host name is no node name';
    problems.push(...problemAt(['slurm', 'node'], 'key', reason, origin));
  }
  if (listen !== undefined && tokenFile === null) {
    const reason = 'needs token_file: whoever reaches the port can move jobs';
    problems.push(...problemAt(['listen'], 'value', reason, origin));
  }
  if (isInside(output.work_dir, output.dir) || isInside(output.dir, output.work_dir)) {
    const reason = 'and dir must not lie in one another: one is of this node, the other of all';
    problems.push(...problemAt(['work_dir'], 'value', reason, origin));
  }
  if (problems.length > 0) throw new ConfigError(problems.toSorted(byPlace));
  return Object.freeze({
    clusterId: output.cluster_id.toLowerCase(),
    dir: plain(output.dir),
    keep: output.keep,
    criu: output.criu,
    scratch: output.scratch.map(plain),
    compress: output.compress,
    socket: output.socket,
    listen: listen ?? null,
    tokenFile,
    slurm: { node, bin: slurm.bin, conf: slurm.conf },
    policies: output.policies,
    workDir: plain(output.work_dir),
    runDir: plain(output.run_dir),
    helper: output.helper ?? helperBeside(asOwner),
    asOwner,
    log: output.log,
  });
}

/** All programs of an installation lie in one folder, wherever that is; a checkout has none that is built. */
function helperBeside(program: string): string {
  return program.endsWith('.mjs') ? join(dirname(program), 'ckptd-criu') : '/usr/lib/ckptd/ckptd-criu';
}

/** Without slashes at its end, and single ones in it. */
function plain(path: string): string {
  return path.replace(/\/+/g, '/').replace(/\/$/, '');
}

function isInside(path: string, folder: string): boolean {
  return `${plain(path)}/`.startsWith(`${plain(folder)}/`);
}
