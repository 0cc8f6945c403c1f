import { stat } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { deviceNumber, deviceOf, reachOf } from '../../../../daemon/engine/checkpoint/dump/file-systems.ts';
import { parseMounts } from '../../../../daemon/engine/proc/mounts.ts';

const MOUNTS = parseMounts(`1 0 8:1 / / rw - btrfs /dev/a rw
2 1 0:50 / /home rw shared:3 master:1 - nfs4 server:/home rw
3 1 0:51 / /scr\\040atch rw - xfs /dev/b rw
4 1 0:52 / /fuse rw - fuse.sshfs x rw
5 1 0:53 / /proc rw - proc proc rw
6 1 254:0 / /shared rw - ext4 /dev/c rw
7 1 0:54 / /dev/shm rw - tmpfs tmpfs rw
8 2 0:55 / /home/local rw - ext4 /dev/d rw
garbage
`);
const reach = reachOf(MOUNTS, { major: 254, minor: 0 });
const on = (minor: number, path: string | null = '/x') => reach({ major: 0, minor }, path);

test('by the device', () => {
  expect(on(50)).toBe('shared');
  expect(on(52)).toBe('shared');
  expect(on(51)).toBe('local');
  expect(on(54)).toBe('local');
  expect(on(53)).toBe('kernel');
  expect(reach({ major: 254, minor: 0 }, '/shared/a')).toBe('shared');
});

test('by the path where a file system gives its files other devices', () => {
  expect(on(99, '/home/alice/a')).toBe('shared');
  expect(on(99, '/home/local/a')).toBe('local');
  expect(on(99, '/homely')).toBe('local');
  expect(on(99, '/scr atch/a')).toBe('local');
  expect(on(99, null)).toBe('local');
});

test('device numbers as the kernel has them', async () => {
  const { dev } = await stat('/proc/self', { bigint: true });
  expect(deviceNumber(deviceOf(dev))).toBe(String(dev));
  // os.makedev(0x12345, 0x6789a) of Python.
  expect(deviceNumber({ major: 0x12345, minor: 0x6789a })).toBe('316661085455770');
  expect(deviceOf(316_661_085_455_770n)).toEqual({ major: 0x12345, minor: 0x6789a });
});
