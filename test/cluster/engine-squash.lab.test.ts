import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LabNode } from '../lab/lab.ts';
import { EngineLab } from './engine-lab.ts';

/** Alice's home on each node; root is refused in it, and sees not even its root folder. */
const HOME = '/home/alice/squashed';

let cluster: EngineLab;
let n1: LabNode;
let n2: LabNode;

beforeAll(async () => {
  cluster = await EngineLab.start();
  [n1, n2] = [cluster.lab.node('n1'), cluster.lab.node('n2')];
  await n1.run('install -d -o alice -g alice -m 700 /shared/home-of-alice');
  for (const node of [n1, n2]) {
    await node.run('test -e /dev/fuse || mknod -m 666 /dev/fuse c 10 229');
    // A FUSE file system is its mounter's alone unless it says otherwise (fuse(4)): root gets EACCES, as from NFS.
    await node.run(`mkdir -p ${HOME} && bindfs --no-allow-other /shared/home-of-alice ${HOME}`, {
      user: 'alice',
    });
    const asRoot = await node.run(`ls ${HOME}`, { reject: false });
    expect(asRoot.stderr).toContain('Permission denied');
  }
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

/** Counts into its output, from a home that root is refused in, with files of it open, mapped and deleted. */
const SCRIPT = `#!/bin/bash
cd ${HOME} || exit 3
cp /bin/sleep mine
./mine 1000 &
exec 4>>"appended-$SLURM_JOB_ID" 5<>"gone-$SLURM_JOB_ID"
echo kept >&5
rm "gone-$SLURM_JOB_ID"
trap 'kill %1' EXIT
echo "start on $SLURMD_NODENAME"
i=0
until [ -e "/shared/finish-$SLURM_JOB_ID" ]; do
  i=$((i + 1))
  echo "i=$i"
  echo "i=$i" >&4
  sleep 0.1
done
[ "$(cat /proc/self/fd/5)" = kept ] || exit 4
echo "last=$i"
`;

test('a job whose home refuses root is saved and comes back, twice, as its owner', async () => {
  // slurmstepd opens the output with the owner's effective id alone, which FUSE does not take for the owner.
  const id = await cluster.running(SCRIPT);
  for (const from of [n1, n2]) {
    await cluster.newCheckpoint(from, id, await cluster.ready(from, id));
    await cluster.moveAway(from, [id]);
  }
  const job = await cluster.finish(id);
  expect(job).toMatchObject({ ExitCode: '0:0', Restarts: '2' });
  const counted = await cluster.counted(id);
  expect(counted).toEqual({
    starts: ['n1'],
    count: counted.count,
    last: counted.count,
    problems: [],
  });
  const own = (await n1.run(`cat /shared/home-of-alice/appended-${id}`)).stdout.trim().split('\n');
  expect(own).toEqual(Array.from({ length: counted.count }, (_, at) => `i=${at + 1}`));
});
