import { spawnSync } from 'node:child_process';
import { fstatSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  type LogFormat,
  logFormat,
  type SystemLogOptions,
  systemLog,
} from '../../../daemon/system/log/log.ts';
import fc from '../../support/properties.ts';

function captured(format: LogFormat, options: SystemLogOptions = {}) {
  let text = '';
  const write = (bytes: Uint8Array) => {
    text += Buffer.from(bytes).toString();
    return bytes.length;
  };
  const log = systemLog({ level: 'trace', env: { NO_COLOR: '1' }, write, ...options, format });
  return { log, text: () => text, lines: () => text.split('\n').slice(0, -1) };
}

describe('a line', () => {
  test('is JSON with level, time, fields and sentence, and no more', () => {
    const { log, text } = captured('json');
    log.warn({ job_id: 42 }, 'the node drains');
    const line = JSON.parse(text());
    expect(line).toEqual({ level: 'warn', time: expect.any(Number), job_id: 42, msg: 'the node drains' });
    expect(Math.abs(Date.now() - line.time)).toBeLessThan(60_000);
  });

  test('carries its priority to the journal', () => {
    const { log, lines } = captured('journal');
    for (const level of ['debug', 'info', 'warn', 'error', 'fatal'] as const) log[level]({}, level);
    expect(lines().map((line) => line.slice(0, 3))).toEqual(['<7>', '<6>', '<4>', '<3>', '<2>']);
    expect(JSON.parse(lines()[4]!.slice(3))).toMatchObject({ level: 'fatal', msg: 'fatal' });
  });

  test('is for reading in a terminal', () => {
    const { log, text } = captured('text');
    log.error(
      { job_id: 42, reason: 'node is gone', none: '', err: new Error('no', { cause: new Error('why') }) },
      'lost',
    );
    expect(text()).toMatch(
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ERROR lost {2}job_id=42 reason="node is gone" none="" err="no: why"\n$/,
    );
  });

  test('cannot pass for another: the level is the one that was called', () => {
    for (const format of ['json', 'text', 'journal'] as const) {
      const { log, text } = captured(format);
      log.info({ level: 'fatal', time: 1, msg: 'forged' }, 'true');
      expect(text()).toContain('level_');
      expect(text()).toMatch(format === 'text' ? / INFO {2}true / : /"level":"info".*"msg":"true"\}\n$/);
    }
  });
});

test.each(['json', 'text', 'journal'] as const)('%s: one event is one line, whatever is in it', (format) => {
  const anything = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      '\n<0>{"level":"fatal"}',
      '\x1b[2J',
      '\u009b2J',
      '\u2028',
      '\r',
      'a\x1fb\x1e',
      '\ud800',
      '%s %j',
    ),
    fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withNullPrototype: true }),
  );
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ unit: 'binary' }), anything),
      fc.string({ unit: 'binary' }),
      (fields, message) => {
        const { log, text } = captured(format);
        log.info(fields, message);
        expect(text().match(/\n/g)).toHaveLength(1);
        expect(text().endsWith('\n')).toBe(true);
        expect(text().slice(0, -1)).not.toMatch(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/);
        if (format !== 'text') JSON.parse(text().replace(/^<6>/, ''));
      },
    ),
    { numRuns: 500 },
  );
});

describe('secrets', () => {
  const SECRET = 's3cret-value';
  test.each([
    { token: SECRET },
    { authToken: SECRET },
    { CEDANA_AUTH_TOKEN: SECRET },
    { request: { headers: { Authorization: `Bearer ${SECRET}` } } },
    { list: [{ deep: { token: { value: SECRET } } }] },
    { err: new Error(`401 for Bearer ${SECRET}`) },
    { err: new Error('x', { cause: new Error(`Bearer ${SECRET}`) }) },
    { line: `curl -H "Authorization: Bearer ${SECRET}"` },
    { wrapped: { toJSON: () => ({ token: SECRET }) } },
  ])('%j', (fields) => {
    for (const format of ['json', 'text'] as const) {
      const { log, text } = captured(format);
      log.info(fields, `asked with Bearer ${SECRET}`);
      expect(text()).not.toContain(SECRET);
      expect(text()).toContain('redacted');
    }
  });

  test('the path of a secret is none', () => {
    const { log, text } = captured('json');
    log.info({ token_file: '/etc/ckptd/token' }, 'read');
    expect(JSON.parse(text()).token_file).toBe('/etc/ckptd/token');
  });
});

test('a field that cannot be read costs its line some fields, never the daemon', () => {
  const { log, text } = captured('json');
  const cyclic: Record<string, unknown> = {};
  cyclic['self'] = cyclic;
  log.info({ cyclic }, 'cycle');
  log.info(
    {
      get bad() {
        throw new Error('getter');
      },
    },
    'getter',
  );
  log.info(null as unknown as object, 'null');
  log.error(new Error('bare'), 'error as fields');
  const lines = text()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.map(({ msg }) => msg)).toEqual(['cycle', 'getter', 'null', 'error as fields']);
  expect(lines[3].err.message).toBe('bare');
});

test('the level changes at a reload', () => {
  const { log, lines } = captured('json', { level: 'warn' });
  log.info({}, 'not yet');
  log.setLevel('debug');
  log.debug({}, 'now');
  log.setLevel('fatal');
  log.error({}, 'no more');
  expect(lines()).toHaveLength(1);
  expect(log.level).toBe('fatal');
});

describe('a descriptor', () => {
  const failing = (...codes: (string | number)[]) => {
    let text = '';
    const write = (bytes: Uint8Array) => {
      const next = codes.shift();
      if (typeof next === 'string') throw Object.assign(new Error(next), { code: next });
      const taken = Math.min(next ?? bytes.length, bytes.length);
      text += Buffer.from(bytes.subarray(0, taken)).toString();
      return taken;
    };
    return { log: systemLog({ format: 'json', write }), lines: () => text.trimEnd().split('\n') };
  };

  test('that takes a line in pieces, or late, gets all of it', () => {
    const { log, lines } = failing(5, 'EAGAIN', 1, 'EINTR', 'EAGAIN');
    log.info({}, 'whole');
    expect(lines().map((line) => JSON.parse(line).msg)).toEqual(['whole']);
  });

  test.each(['EPIPE', 'ENOSPC', 'EIO', 'EBADF'])(
    'that is broken (%s) loses lines, which are counted',
    (code) => {
      const { log, lines } = failing(code, code);
      for (const sentence of ['gone', 'gone too', 'there']) log.info({}, sentence);
      expect(lines().map((line) => JSON.parse(line))).toMatchObject([
        { level: 'warn', lines: 2, msg: 'log lines were lost' },
        { msg: 'there' },
      ]);
    },
  );

  test('that breaks within a line never joins two', () => {
    const { log, lines } = failing(9, 'EPIPE');
    log.info({}, 'torn');
    log.info({}, 'whole');
    expect(lines()[0]).toHaveLength(9);
    expect(JSON.parse(lines()[2]!).msg).toBe('whole');
  });

  test('is the journal when $JOURNAL_STREAM names it', () => {
    const { dev, ino } = fstatSync(0, { bigint: true });
    expect(logFormat(0, { JOURNAL_STREAM: `${dev}:${ino}` })).toBe('journal');
    expect(logFormat(0, { JOURNAL_STREAM: `${dev}:1${ino}` })).not.toBe('journal');
    expect(logFormat(9_999, {})).toBe('json');
  });
});

test('what was logged before a crash is out', () => {
  const module = join(import.meta.dirname, '../../../daemon/system/log/log.ts');
  const code = `import { systemLog } from ${JSON.stringify(module)};
    const log = systemLog();
    for (let i = 0; i < 2000; i++) log.info({ i, pad: 'x'.repeat(200) }, 'before');
    log.fatal({}, 'still alive');
    process.kill(process.pid, 'SIGKILL');`;
  const { stderr, signal } = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', code], {
    encoding: 'utf8',
    maxBuffer: 1e8,
  });
  expect(signal).toBe('SIGKILL');
  expect(stderr.trimEnd().split('\n')).toHaveLength(2_001);
});
