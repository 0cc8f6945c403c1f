import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { SlurmAnswer, SlurmCommand } from './slurm-answers.ts';

export interface SlurmPrograms extends AsyncDisposable {
  /** Commands so far. */
  readonly commands: readonly SlurmCommand[];
  /** Resolves when the next such command was carried out, and before its answer arrives. */
  next(matches: (command: SlurmCommand) => boolean): Promise<void>;
}

export interface SlurmProgramsPorts {
  readonly answer: (command: SlurmCommand) => SlurmAnswer;
  /** A command began, and was not carried out yet; and: its answer is on its way to it. */
  readonly onCommand: () => void;
  readonly onDone: () => void;
}

/**
 * Real executables that ask this process for what Slurm would do and say. Bash, for its `/dev/tcp` and its start
 * within two milliseconds.
 */
export async function slurmPrograms(binDir: string, ports: SlurmProgramsPorts): Promise<SlurmPrograms> {
  const commands: SlurmCommand[] = [];
  const awaited = new Set<{ matches: (command: SlurmCommand) => boolean; resolve: () => void }>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // A killed daemon's commands go on, but nobody reads what they say.
    socket.on('error', () => {});
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      const [count, program = '', format = '', ...args] = text.split('\0').slice(0, -1);
      if (count === undefined || args.length < Number(count)) return;
      const command = { program, format, args };
      commands.push(command);
      ports.onCommand();
      const { exitCode, text: said } = ports.answer(command);
      for (const waiting of awaited) if (waiting.matches(command)) waiting.resolve();
      socket.end(`${exitCode}\n${said}`, ports.onDone);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  for (const program of ['squeue', 'sinfo', 'scontrol', 'scancel']) {
    await writeFile(join(binDir, program), script(port), { mode: 0o755 });
  }
  return {
    commands,
    next(matches) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const waiting = { matches, resolve };
      awaited.add(waiting);
      return promise.finally(() => awaited.delete(waiting));
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

const script = (port: number) => `#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/${port} || exit 1
printf '%s\\0' "$#" "\${0##*/}" "$SQUEUE_FORMAT2" "$@" >&3
IFS= read -r code <&3
IFS= read -r -d '' said <&3
if [ "$code" = 0 ]; then printf '%s' "$said"; else printf '%s' "$said" >&2; fi
exit "\${code:-1}"
`;
