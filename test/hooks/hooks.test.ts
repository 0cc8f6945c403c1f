import { execFileSync } from 'node:child_process';
import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { serve } from '../sources/socket/support.ts';
import { find, HOOKS, hookWith, run, SHELLS, SLURM_ENV, skipped } from './support.ts';

const PROLOG = join(HOOKS, 'prolog');
const EPILOG = join(HOOKS, 'epilog');

const shellcheck = find('shellcheck');
const { CI: inCi } = process.env;
if (shellcheck === null) skipped('shellcheck');
// Under CI a missing shellcheck fails here.
test.skipIf(shellcheck === null && !inCi)('shellcheck has nothing to say', () => {
  expect(execFileSync('shellcheck', [PROLOG], { encoding: 'utf8' })).toBe('');
});

test('both are there to be run, and the epilog is the prolog by another name', () => {
  expect(lstatSync(PROLOG).mode & 0o777).toBe(0o755);
  expect(lstatSync(EPILOG).isSymbolicLink()).toBe(true);
  expect(readFileSync(EPILOG)).toEqual(readFileSync(PROLOG));
});

/** Users' text: quotes, controls, bytes that are no UTF-8, and what a shell would run or expand. */
const HOSTILE = Buffer.concat([
  Buffer.from('a"b\\c\nd\te\rf\u0001g\u007fh ü🦀 $(touch /tmp/x) `id` $IFS \\" \\n *[?!~ \'; exit 1 \''),
  Buffer.from([0xff, 0xc3, 0x28, 0xed, 0xa0, 0x80]),
  Buffer.from('\n\n'),
]);
/** As it arrives: tab and newline as they are, other controls and stray bytes as U+FFFD. */
const ARRIVED = HOSTILE.toString('utf8').replace(/[\r\u0001\u007f]/g, '\ufffd');

describe.each(SHELLS)('%s', (_name, ...shell) => {
  test('the daemon gets what it uses of what Slurm set, and nothing else', async () => {
    await using fixture = await serve();
    const env = {
      ...SLURM_ENV,
      CKPTD_SOCKET: fixture.path,
      SLURM_SCRIPT_CONTEXT: 'prolog_slurmd',
      SPANK_CKPT_INTERVAL: '15m',
      SPANK_CKPT_KIND: 'rootfs',
      SECRET: 'x',
    };
    expect(await run([...shell, PROLOG], env)).toMatchObject({ code: 0, output: '' });
    expect(
      await run([...shell, EPILOG], {
        ...env,
        SLURM_SCRIPT_CONTEXT: 'epilog_slurmd',
        SLURM_JOB_EXIT_CODE: '256',
      }),
    ).toMatchObject({
      code: 0,
      output: '',
    });
    const told = {
      SLURM_JOB_ID: '7',
      SLURM_JOB_RESTART_COUNT: '1',
      SLURM_JOB_NUM_NODES: '1',
      SLURM_NODELIST: 'n1',
      SLURMD_NODENAME: 'n1',
      SPANK_CKPT_INTERVAL: '15m',
      SPANK_CKPT_KIND: 'rootfs',
    };
    expect(fixture.calls).toEqual([
      ['prolog', { jobId: 7, restarts: 1, override: { every: 900_000, kind: 'rootfs' }, env: told }],
      ['epilog', { jobId: 7, restarts: 1, env: told }],
    ]);
  });

  test("users' text arrives whole, whatever is in it", async () => {
    await using fixture = await serve();
    const quotes = '"\\'.repeat(512);
    const env = {
      ...SLURM_ENV,
      CKPTD_SOCKET: fixture.path,
      SPANK_CKPT_KIND: HOSTILE,
      SPANK_CKPT_INTERVAL: quotes,
      SPANK_CKPT_OFF: '\u0001'.repeat(1_024),
      SLURMD_NODENAME: '-n @/etc/passwd',
      SLURM_NODELIST: 'x'.repeat(10_000),
    };
    expect(await run([...shell, PROLOG], env)).toMatchObject({ code: 0, output: '' });
    expect(fixture.calls).toEqual([
      [
        'prolog',
        {
          jobId: 7,
          restarts: 1,
          override: {},
          env: {
            SLURM_JOB_ID: '7',
            SLURM_JOB_RESTART_COUNT: '1',
            SLURM_JOB_NUM_NODES: '1',
            SPANK_CKPT_KIND: ARRIVED,
            SPANK_CKPT_INTERVAL: quotes,
            SPANK_CKPT_OFF: '\ufffd'.repeat(1_024),
            SLURMD_NODENAME: '-n @/etc/passwd',
          },
        },
      ],
    ]);
  });

  test('by name where Slurm gives no context; not for the controller, nor for a task, nor without a job', async () => {
    await using fixture = await serve();
    const env = { ...SLURM_ENV, CKPTD_SOCKET: fixture.path };
    await run([...shell, PROLOG], env);
    await run([...shell, EPILOG], env);
    await run([...shell, PROLOG], { ...env, SLURM_SCRIPT_CONTEXT: 'epilog_slurmd' });
    expect(fixture.calls.map(([name]) => name)).toEqual(['prolog', 'epilog', 'epilog']);
    for (const context of ['prolog_slurmctld', 'prolog_task', '']) {
      const ran = await run([...shell, PROLOG], { ...env, SLURM_SCRIPT_CONTEXT: context || 'x' });
      expect(ran).toMatchObject({ code: 0, output: '' });
    }
    for (const id of ['', '7_1', '-1', '../7', '7\n8']) {
      expect(await run([...shell, PROLOG], { ...env, SLURM_JOB_ID: id })).toMatchObject({
        code: 0,
        output: '',
      });
    }
    expect(await run([...shell, PROLOG], {})).toMatchObject({ code: 0, output: '' });
    expect(fixture.calls).toHaveLength(3);
  });

  test('without curl: perl; without perl: python3; without any: nothing but a line by logger', async () => {
    await using fixture = await serve();
    const env = {
      ...SLURM_ENV,
      CKPTD_SOCKET: fixture.path,
      SLURM_SCRIPT_CONTEXT: 'prolog_slurmd',
      SPANK_CKPT_KIND: HOSTILE,
    };
    const text = readFileSync(PROLOG, 'utf8');
    const { PATH: path } = process.env;
    // Not a link: pyenv's python3 looks at its own name and PATH.
    const real = (name: string) => `#!/bin/sh\nPATH='${path}' exec ${name} "$@"\n`;
    const oldCurl = '#!/bin/sh\nexit 2\n';
    const broken = '#!/nonexistent\n';
    const told = async (programs: Record<string, string>) => {
      fixture.calls.length = 0;
      const hook = hookWith(fixture.dir, programs, text);
      expect(await run([...shell, hook], env)).toMatchObject({ code: 0, output: '' });
      return fixture.calls.map(
        ([, hook]) => (hook as { env: { SPANK_CKPT_KIND: string } }).env.SPANK_CKPT_KIND,
      );
    };
    expect(await told({ curl: real('curl') })).toEqual([ARRIVED]);
    expect(await told({ perl: real('perl') })).toEqual([ARRIVED]);
    expect(await told({ curl: oldCurl, perl: real('perl') })).toEqual([ARRIVED]);
    expect(await told({ curl: broken, perl: broken, python3: real('python3') })).toEqual([ARRIVED]);
    expect(await told({})).toEqual([]);
    const said = join(fixture.dir, 'said');
    expect(
      await told({
        logger: `#!/bin/sh\necho "$@" >${said}\n`,
        timeout: '#!/bin/sh\nshift\nexec "$@"\n',
      }),
    ).toEqual([]);
    expect(readFileSync(said, 'utf8')).toBe(
      '-t ckptd -p daemon.warning prolog of job 7 not told to ckptd: no curl, perl, python3\n',
    );
  });
});
