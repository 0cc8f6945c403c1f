import { expect, test } from 'vitest';
import { whyIncompatible } from '../../../daemon/engine/criu/compatible.ts';
import type { Cores, Credentials } from '../../../daemon/engine/criu/images/cores.ts';
import { restoreArgv, unknownOptions } from '../../../daemon/engine/restore/prepare/argv.ts';
import { placesOf } from '../../../daemon/engine/restore/run/places.ts';
import { OWNER } from '../owner/program/support.ts';

const host = { criuVersion: '4.2.1', cpuFlags: ['fpu', 'sse4_2', 'avx2'] };
const criu = (version: string) => ({ version, restoreOptions: [] });

test.each([
  ['the same', criu('4.2.1'), [], null],
  ['another patch release', criu('4.2'), ['avx2'], null],
  ['no processes in it', null, ['avx512f'], null],
  ['an older CRIU', criu('4.1.1'), [], 'it was taken with CRIU 4.1.1, and this node has 4.2.1'],
  ['a newer CRIU', criu('4.20'), [], 'it was taken with CRIU 4.20, and this node has 4.2.1'],
  ['a version that is none', criu('v4.2'), [], 'it was taken with CRIU v4.2, and this node has 4.2.1'],
  ['a CPU flag', criu('4.2.1'), ['avx2', 'avx512f'], "this node's CPU lacks avx512f, which the job may use"],
  [
    'many CPU flags',
    criu('4.2.1'),
    ['a', 'b', 'c', 'd', 'e', 'f', 'g'],
    "this node's CPU lacks a, b, c, d, e and 2 more, which the job may use",
  ],
])('%s', (_, taken, cpuFlags, why) => {
  expect(whyIncompatible({ criu: taken, cpuFlags }, host)).toBe(why);
});

const COMMAND = {
  helper: '/usr/lib/ckptd/ckptd-criu',
  criu: '/usr/sbin/criu',
  owner: OWNER,
  places: placesOf('/var/lib/ckptd-engine', 7, 2),
  images: '/var/lib/ckptd-engine/restore/7.2/images',
  rootPid: 40,
  options: ['--shell-job', '--file-locks'],
};

/** Of processes whose soft limits of open files are these; null: one that says nothing of its limits. */
function coresOf(credentials: Partial<Credentials>, ...files: readonly (bigint | null)[]): Cores {
  const nofile = (soft: bigint | null): [bigint, bigint][] => [
    ...Array<[bigint, bigint]>(7).fill([-1n, -1n]),
    ...(soft === null ? [] : [[soft, 2n ** 40n] as [bigint, bigint]]),
  ];
  return {
    credentials: {
      ...{ uid: OWNER.uid, gid: OWNER.gid, groups: [61_236, 61_237] },
      ...{ inheritable: 0n, boundingSet: (1n << 41n) - 1n, noNewPrivs: false },
      ...credentials,
    },
    limits: new Map(
      files.map((soft, at) => [40 + at, { rlimits: nofile(soft), oomScoreAdj: 0, priority: null }]),
    ),
    endWithParent: new Set(),
  };
}

const wordAfter = (argv: readonly string[], option: string) => argv[argv.indexOf(option) + 1];

test('the command restores into the namespaces of ckptd-criu init, with the rights of the owner', () => {
  const argv = restoreArgv({ ...COMMAND, cores: coresOf({}, 1024n, 5000n) });
  const at = argv.indexOf('--');
  expect(argv.slice(0, at)).toEqual([
    ...['/usr/lib/ckptd/ckptd-criu', 'init'],
    ...['--uid', String(OWNER.uid), '--gid', String(OWNER.gid), '--groups', '61236 61237'],
    ...['--capabilities', 'checkpoint_restore'],
    ...['--images', '/var/lib/ckptd-engine/restore/7.2/images', '--root', '40', '--files', '5000'],
    ...['--log', '/var/lib/ckptd-engine/restore/7.2/restore.log'],
  ]);
  expect(argv.slice(at + 1).join(' ')).toBe(
    '/usr/sbin/criu --no-default-config --shell-job --file-locks --manage-cgroups=ignore',
  );
});

test.each([
  ['whole', (1n << 41n) - 1n, 'checkpoint_restore'],
  ['whole, and of a later Linux', (1n << 45n) - 1n, 'checkpoint_restore'],
  ['without the first one', (1n << 41n) - 2n, 'checkpoint_restore,setpcap'],
  ['without the last one', (1n << 40n) - 1n, 'checkpoint_restore,setpcap'],
  ['empty', 0n, 'checkpoint_restore,setpcap'],
])(
  'where the bounding set of a job is %s, CRIU has what it takes to make it so again',
  (_, boundingSet, has) => {
    const argv = restoreArgv({ ...COMMAND, cores: coresOf({ boundingSet }) });
    expect(wordAfter(argv, '--capabilities')).toBe(has);
  },
);

test.each([
  ['the largest', [16n, 1_000_000n, 1024n], '1000000'],
  ['none, where nobody has any', [], '0'],
  ['none, where the image has none', [null], '0'],
  ['a billion at most', [2n ** 40n], '1073741824'],
  ['none of an unlimited one, which the kernel does not have', [-1n], '0'],
])('CRIU may have as many files open as a process of the job: %s', (_, soft, files) => {
  expect(wordAfter(restoreArgv({ ...COMMAND, cores: coresOf({}, ...soft) }), '--files')).toBe(files);
});

test('a job without supplementary groups has an empty word for them', () => {
  expect(wordAfter(restoreArgv({ ...COMMAND, cores: coresOf({ groups: [] }) }), '--groups')).toBe('');
});

test('options that could name a program or a path are not taken from a manifest', () => {
  const known = ['--shell-job', '--file-locks', '--ext-unix-sk', '--tcp-close', '--ghost-limit=1G'];
  expect(unknownOptions(known)).toEqual([]);
  const unknown = [
    '--action-script',
    '--action-script=/tmp/x',
    '--root=/tmp',
    '-L/tmp',
    '--shell-job ',
    '--tcp-close\n',
  ];
  expect(unknownOptions(unknown)).toEqual(unknown);
});
