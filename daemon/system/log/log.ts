import { fstatSync } from 'node:fs';
import { isatty } from 'node:tty';
import { pino } from 'pino';
import type { Log } from '../ports.ts';
import { printableFields, printableText } from './log-fields.ts';
import { logSink, type WriteSome } from './log-sink.ts';
import { escaped, textLine } from './log-text.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** `journal`: JSON after `<N>`, systemd's prefix for a line's priority; `text`: for a terminal; `json`: otherwise. */
export type LogFormat = 'journal' | 'text' | 'json';

export interface SystemLog extends Log {
  readonly level: LogLevel;
  /** For a reload: lines below `level` are dropped from now on. */
  setLevel(level: LogLevel): void;
}

export interface SystemLogOptions {
  readonly level?: LogLevel;
  /** Standard error by default: standard output is for what a command answers. */
  readonly fd?: number;
  /** Default: what `logFormat` finds. */
  readonly format?: LogFormat;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly write?: WriteSome;
}

/** syslog's severities (sd-daemon(3)). */
const PRIORITY: Readonly<Record<string, number>> = {
  trace: 7,
  debug: 7,
  info: 6,
  warn: 4,
  error: 3,
  fatal: 2,
};

/**
 * The daemon's log: one line an event, written before the call returns, with `level`, `time` (epoch ms), the
 * caller's fields and `msg`. Logging never throws and never ends the process, `fatal` included.
 */
export function systemLog(options: SystemLogOptions = {}): SystemLog {
  const fd = options.fd ?? 2;
  const env = options.env ?? process.env;
  const format = options.format ?? logFormat(fd, env);
  const colour = format === 'text' && !env['NO_COLOR'];
  const shape = (json: string, level: string) => {
    if (format === 'text') return textLine(json, colour);
    // JSON escapes C0 only; other control characters could control the reader's terminal.
    const line = `${escaped(json.trimEnd())}\n`;
    return format === 'journal' ? `<${PRIORITY[level] ?? 6}>${line}` : line;
  };
  const lostLine = (lost: number) =>
    shape(
      `${JSON.stringify({ level: 'warn', time: Date.now(), lines: lost, msg: 'log lines were lost' })}\n`,
      'warn',
    );
  const sink = logSink(fd, lostLine, options.write);

  const logger = pino(
    {
      level: options.level ?? 'info',
      // The journal and the prompt know the process and the host already.
      base: null,
      timestamp: () => `,"time":${Date.now()}`,
      formatters: { level: (label) => ({ level: label }) },
      // Errors are made printable with the other fields, wherever they are; pino would take `err` for an Error.
      serializers: { err: (value: unknown) => value },
    },
    {
      write(json: string) {
        const level = /^\{"level":"(\w+)"/.exec(json)?.[1] ?? 'info';
        sink.write(shape(json, level));
      },
    },
  );

  const say = (level: keyof Log) => (fields: object, message: string) => {
    if (logger.isLevelEnabled(level)) logger[level](printableFields(fields), printableText(message));
  };
  return {
    debug: say('debug'),
    info: say('info'),
    warn: say('warn'),
    error: say('error'),
    fatal: say('fatal'),
    get level() {
      return logger.level as LogLevel;
    },
    setLevel(level) {
      logger.level = level;
    },
  };
}

/** The format that suits the descriptor. `$JOURNAL_STREAM` has the device and inode of the journal's socket. */
export function logFormat(fd: number, env: Readonly<Record<string, string | undefined>>): LogFormat {
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    if (env['JOURNAL_STREAM'] === `${dev}:${ino}`) return 'journal';
    return isatty(fd) ? 'text' : 'json';
  } catch {
    // The descriptor is closed: all output is lost.
    return 'json';
  }
}
