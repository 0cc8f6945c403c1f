import type { Command } from '../../system/ports.ts';

const SCRIPT = 'exec "$@" </dev/null >>"$0" 2>&1';

/**
 * The command with its output in a file, not in pipes of this process: it outlives the engine, and an engine that
 * is killed must not take a dump with it, half way through somebody's memory.
 */
export function detached(command: Command, outputFile: string): Command {
  return { ...command, file: '/bin/sh', args: ['-c', SCRIPT, outputFile, command.file, ...command.args] };
}
