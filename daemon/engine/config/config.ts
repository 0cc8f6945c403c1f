import type { LogLevel } from '../../system/log/log.ts';

/** /etc/ckptd/engine.yaml, validated and with all that it left out. Paths are absolute. */
export interface EngineConfig {
  /** Lower case UUID. */
  readonly clusterId: string;
  /** The store: on a file system that all nodes share. */
  readonly dir: string;
  /** This many newest ready checkpoints of a job stay. */
  readonly keep: number;
  /** CRIU's program. */
  readonly criu: string;
  /** Folders whose files, where they are the job owner's, kind `rootfs` carries along. */
  readonly scratch: readonly string[];
  readonly compress: 'zstd' | 'none';
  readonly socket: { readonly path: string; readonly mode: number; readonly group: string };
  /** TCP; null: off. */
  readonly listen: { readonly host: string; readonly port: number } | null;
  /** Null only where `listen` is. */
  readonly tokenFile: string | null;
  readonly slurm: { readonly node: string; readonly bin: string; readonly conf: string };
  /** ckptd.yaml, whose policies say which jobs resume. */
  readonly policies: string;
  /** Local staging; kept over a reboot. */
  readonly workDir: string;
  /** Marks of frozen cgroups and of restored runs; gone at a reboot, as what they mark is. */
  readonly runDir: string;
  /** ckptd-criu. */
  readonly helper: string;
  /** Of ckptd-as-owner: the file that this very Node runs. */
  readonly asOwner: string;
  readonly log: { readonly level: LogLevel };
}
