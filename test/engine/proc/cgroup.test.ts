import { expect, test } from 'vitest';
import { batchStepOf, cgroupFolder } from '../../../daemon/engine/proc/cgroup.ts';
import { parseMounts } from '../../../daemon/engine/proc/mounts.ts';

// /proc/<pid>/cgroup of a batch script on a lab node: Slurm 24.11.5, CgroupPlugin=cgroup/v1 on a hybrid machine.
const V1 = `9:name=systemd:/system.slice/slurmd.service
8:pids:/
6:freezer:/slurm_n1/uid_2000/job_3/step_batch
4:memory:/slurm_n1/uid_2000/job_3/step_batch/task_0
2:cpuacct:/slurm_n1/uid_2000/job_3/step_batch/task_0
0::/system.slice/slurmd.service
`;
// The same under cgroup/v2, as Slurm's source lays it out.
const V2 = '0::/system.slice/slurmstepd.scope/job_3/step_batch/user/task_0\n';
// /proc/self/mountinfo of that node.
const MOUNTS = parseMounts(`78 428 0:111 / /sys/fs/cgroup ro,nosuid shared:49 - tmpfs tmpfs ro,mode=755
85 78 0:32 / /sys/fs/cgroup/memory rw,nosuid shared:106 - cgroup cgroup rw,memory
86 78 0:34 / /sys/fs/cgroup/freezer rw,nosuid,relatime shared:107 - cgroup cgroup rw,freezer
87 78 0:38 / /sys/fs/cgroup/unified rw shared:108 - cgroup2 cgroup rw
`);

test('v1: the step in the hierarchy of the freezer', () => {
  const step = batchStepOf(V1, 3);
  expect(step).toEqual({ version: 1, path: '/slurm_n1/uid_2000/job_3/step_batch' });
  expect(cgroupFolder(step!, MOUNTS)).toBe('/sys/fs/cgroup/freezer/slurm_n1/uid_2000/job_3/step_batch');
});

test("v2: the user's part of the step, and not slurmstepd's", () => {
  const step = batchStepOf(V2, 3);
  expect(step).toEqual({ version: 2, path: '/system.slice/slurmstepd.scope/job_3/step_batch/user' });
  expect(cgroupFolder(step!, MOUNTS)).toBe(
    '/sys/fs/cgroup/unified/system.slice/slurmstepd.scope/job_3/step_batch/user',
  );
  expect(batchStepOf('0::/system.slice/slurmstepd.scope/job_3/step_batch/slurm\n', 3)).toBe(null);
});

test.each([
  ['another job', V1.replaceAll('job_3', 'job_33')],
  ['the slurmstepd of v1', '6:freezer:/slurm_n1/uid_2000/job_3\n'],
  ['another step', V1.replaceAll('step_batch', 'step_0')],
  ['a step outside of the reader’s cgroup namespace', '6:freezer:/../slurm_n1/uid_2000/job_3/step_batch\n'],
  ['a proctrack without cgroups', '0::/system.slice/slurmd.service\n'],
  ['no cgroup at all', ''],
  ['garbage', '::::\n6:freezer\n\0\n'],
])('%s is not the batch step', (_, text) => {
  expect(batchStepOf(text, 3)).toBe(null);
});

test('a hierarchy that is seen in part only, and one that is not mounted', () => {
  const part = parseMounts('86 78 0:34 /lab-n1 /cg/free\\040zer rw - cgroup cgroup rw,freezer\n');
  expect(cgroupFolder({ version: 1, path: '/lab-n1/slurm/job_3/step_batch' }, part)).toBe(
    '/cg/free zer/slurm/job_3/step_batch',
  );
  expect(cgroupFolder({ version: 1, path: '/slurm/job_3/step_batch' }, part)).toBe(null);
  expect(cgroupFolder({ version: 2, path: '/slurm/job_3/step_batch/user' }, part)).toBe(null);
});
