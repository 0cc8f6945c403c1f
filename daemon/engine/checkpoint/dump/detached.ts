import { open } from 'node:fs/promises';
import type { Command, CommandResult, Exec } from '../../../system/ports.ts';

/**
 * Runs the command with its output in a file, not in pipes of this process: it outlives the engine, and an engine that
 * is killed must not take a dump with it, half way through somebody's memory. Rejects where the file cannot be opened.
 */
export async function runDetached(exec: Exec, command: Command, outputFile: string): Promise<CommandResult> {
  await using output = await open(outputFile, 'a', 0o600);
  return await exec.run({ ...command, output: output.fd });
}
