import { expect, test } from 'vitest';
import { restoreArgv, unknownOptions } from '../../../daemon/engine/start/argv.ts';
import { whyIncompatible } from '../../../daemon/engine/start/compatible.ts';
import { placesOf } from '../../../daemon/engine/start/places.ts';
import { OWNER } from '../as-owner/support.ts';

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

test('the command restores into the namespaces of ckptd-criu init, with the options of the dump', () => {
  const command = {
    helper: '/usr/lib/ckptd/ckptd-criu',
    criu: '/usr/sbin/criu',
    owner: OWNER,
    places: placesOf('/var/lib/ckptd-engine', 7, 2),
    images: '/var/lib/ckptd-engine/restore/7.2/images',
    guards: ['/home', '/tmp'],
    hasSockets: false,
    options: ['--shell-job', '--file-locks'],
  };
  const argv = restoreArgv(command);
  const at = argv.indexOf('--');
  expect(argv.slice(0, at).join(' ')).toBe(
    `/usr/lib/ckptd/ckptd-criu init --uid ${OWNER.uid} --gid ${OWNER.gid} ` +
      '--pidfile /var/lib/ckptd-engine/restore/7.2/work/pid ' +
      '--log /var/lib/ckptd-engine/restore/7.2/work/restore.log --guard /home --guard /tmp',
  );
  const withSockets = restoreArgv({ ...command, hasSockets: true });
  expect(withSockets.slice(at, at + 3)).toEqual([
    '--sockets',
    `${OWNER.uid} ${OWNER.gid} ${OWNER.groups[0]}`,
    '--',
  ]);
  expect(argv.slice(at + 1).join(' ')).toBe(
    '/usr/sbin/criu restore --images-dir /var/lib/ckptd-engine/restore/7.2/images ' +
      '--work-dir /var/lib/ckptd-engine/restore/7.2/work --log-file restore.log -v2 --shell-job --file-locks ' +
      '--manage-cgroups=ignore --restore-detached --restore-sibling ' +
      '--pidfile /var/lib/ckptd-engine/restore/7.2/work/pid --action-script /usr/lib/ckptd/ckptd-criu',
  );
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
