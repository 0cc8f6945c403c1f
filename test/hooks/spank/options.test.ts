import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readOverride } from '../../../daemon/sources/socket/override.ts';
import { type Built, build, call } from './plugin.ts';

const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot && !process.env['CI'])('the options of sbatch, salloc and srun', () => {
  let built: Built;
  beforeAll(async () => {
    built = await build({ sanitize: true });
  }, 300_000);
  afterAll(() => built[Symbol.dispose]());

  const give = (context: 'allocator' | 'local' | 'remote', ...options: string[]) =>
    call(built, {
      context,
      commands: ['init', ...options.flatMap((option) => ['option', option]), 'init_post_opt'],
      env: { STUB_STEP: '0' },
    });

  test('what was given goes on to Prolog and Epilog', async () => {
    const { lines, code } = await give('allocator', 'ckpt-interval= 15M ', 'ckpt-kind=RootFS', 'no-ckpt');
    expect(lines).toEqual([
      'init returned 0',
      'ckpt-interval= 15M  returned 0',
      'ckpt-kind=RootFS returned 0',
      'no-ckpt returned 0',
      'control: CKPT_INTERVAL=15m',
      'control: CKPT_KIND=rootfs',
      'control: CKPT_OFF=1',
      'init_post_opt returned 0',
    ]);
    expect(code).toBe(0);
  });

  test('what was not given is not set', async () => {
    expect((await give('local')).lines).toEqual(['init returned 0', 'init_post_opt returned 0']);
  });

  const intervals = [
    '10s',
    '9s',
    '7d',
    '8d',
    '168h',
    '169h',
    '604800s',
    '604801s',
    '15',
    '',
    'm',
    '1.5h',
    '-5m',
  ];
  const odd = [
    ' 90 s',
    '0090s',
    '00000090s',
    '5 m',
    '5mm',
    '5m5',
    '5w',
    '٥m',
    '1e3s',
    '+90s',
    '0x10m',
    '\t2h\n',
    '5  h',
  ];
  test.each([...intervals, ...odd])(
    '--ckpt-interval=%j is taken exactly if the daemon takes it',
    async (text) => {
      const warnings: unknown[] = [];
      const log = { warn: (...words: unknown[]) => warnings.push(words) } as never;
      const daemon = readOverride({ SPANK_CKPT_INTERVAL: text }, { log, jobId: 1 });
      const { lines } = await give('allocator', `ckpt-interval=${text}`);
      const sent = lines.find((line) => line.startsWith('control: CKPT_INTERVAL='))?.split('=')[1];
      if (daemon.every === undefined) {
        expect(sent).toBeUndefined();
        expect(lines).toContainEqual(expect.stringMatching(/returned -1$/));
        expect(lines.join('\n')).toContain('is not a time like 90s, 15m or 2h between 10s and 7d');
      } else {
        expect(readOverride({ SPANK_CKPT_INTERVAL: sent! }, { log, jobId: 1 }).every).toBe(daemon.every);
      }
    },
  );

  test.each(['simple', 'rootfs', 'rootfsonly', ' Simple'])('--ckpt-kind=%s is taken', async (kind) => {
    const { lines } = await give('allocator', `ckpt-kind=${kind}`);
    expect(lines).toContain(`control: CKPT_KIND=${kind.trim().toLowerCase()}`);
  });

  test.each(['', 'root', 'rootfs,simple', 'x'.repeat(5_000), 'simple\0'.replace('\0', '\x01')])(
    '--ckpt-kind=%.20s is refused, and says what there is',
    async (kind) => {
      const { lines } = await give('allocator', `ckpt-kind=${kind}`);
      expect(lines.join('\n')).toContain('is not one of simple, rootfs, rootfsonly');
      expect(lines.join('\n')).not.toContain('control:');
    },
  );

  test('a job that runs already is not failed for a bad value', async () => {
    const { lines } = await give('remote', 'ckpt-interval=never');
    expect(lines).toContain('ckpt-interval=never returned 0');
  });

  test('a wrong word in plugstack.conf is an error in the log, and fails nothing', async () => {
    const { lines } = await call(built, {
      context: 'allocator',
      config: ['sokcet=/x', 'socket=relative', 'wait=soon', 'wait=0', 'wait=123456', 'hooks=', 'wait=60'],
      commands: ['init', 'init_post_opt'],
    });
    expect(lines).toEqual([
      'error: ckptd: plugstack.conf: sokcet=/x is ignored: there are socket=, hooks= and wait=',
      'error: ckptd: plugstack.conf: socket=relative is ignored: the path is not absolute',
      'error: ckptd: plugstack.conf: wait=soon is ignored: seconds, 1 to 99999, are wanted',
      'error: ckptd: plugstack.conf: wait=0 is ignored: seconds, 1 to 99999, are wanted',
      'error: ckptd: plugstack.conf: wait=123456 is ignored: seconds, 1 to 99999, are wanted',
      'error: ckptd: plugstack.conf: hooks= is ignored: the path is not absolute',
      'init returned 0',
      'init_post_opt returned 0',
    ]);
  });
});
