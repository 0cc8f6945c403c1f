import { parseArgs } from 'node:util';

export const EX_USAGE = 64;
export const EX_CONFIG = 78;

/** A daemon as a command: `NAME run|check --config FILE`, with the exit codes of sysexits.h. */
export interface Program {
  readonly name: string;
  readonly version: string;
  readonly help: string;
  /** The default path of the configuration. */
  readonly configFile: string;
  /** Describes what the file means, or what is wrong with it. */
  check(configFile: string): { readonly ok: boolean; readonly text: string };
  /** Runs until it is stopped. @returns the exit code */
  run(configFile: string): Promise<number>;
}

/** Runs the command line. @returns the exit code */
export async function runProgram(program: Program, argv: string[]): Promise<number> {
  const usage = (problem: string): number => {
    process.stderr.write(`${program.name}: ${problem}\n\n${program.help}`);
    return EX_USAGE;
  };
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(argv, program.configFile);
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error));
  }
  const { values, positionals } = parsed;
  if (values.help) return print(program.help);
  if (values.version) return print(`${program.name} ${program.version}\n`);
  const [command, ...rest] = positionals;
  if (rest.length > 0) return usage(`too many arguments: ${rest.join(' ')}`);
  if (command === 'check') return check(program, values.config);
  if (command === 'run') return program.run(values.config);
  return usage(command === undefined ? 'a command is missing' : `unknown command: ${command}`);
}

function parse(args: string[], configFile: string) {
  return parseArgs({
    args,
    allowPositionals: true,
    options: {
      config: { type: 'string', short: 'c', default: configFile },
      help: { type: 'boolean', short: 'h', default: false },
      version: { type: 'boolean', short: 'V', default: false },
    },
  });
}

function check(program: Program, configFile: string): number {
  const { ok, text } = program.check(configFile);
  (ok ? process.stdout : process.stderr).write(`${text}\n`);
  return ok ? 0 : EX_CONFIG;
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}
