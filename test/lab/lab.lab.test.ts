import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Lab, LabError, until } from './lab.ts';
import { traces } from './traces.ts';

const count = '#!/bin/sh\nfor i in $(seq 300); do echo $i; sleep 0.1; done\n';

describe('a cluster', { timeout: 60_000 }, () => {
  let lab: Lab;
  let scratch: string;
  let upSeconds: number;

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'lab-test-'));
    await writeFile(join(scratch, 'tool'), '#!/bin/sh\necho "tool on $(hostname)"\n', { mode: 0o755 });
    const started = performance.now();
    lab = await Lab.start({
      binds: [{ from: scratch, to: '/opt/tools', readOnly: true }],
      files: {
        '/etc/slurm/prolog': { content: '#!/bin/sh\ntouch /run/prolog-$SLURM_JOB_ID\n', mode: 0o755 },
      },
      slurmConf: 'Prolog=/etc/slurm/prolog\nNodeName=far[1-1000] NodeAddr=127.0.0.9 CPUs=4 State=FUTURE',
    });
    upSeconds = (performance.now() - started) / 1000;
  }, 300_000);

  afterAll(async () => {
    await lab[Symbol.asyncDispose]();
    await rm(scratch, { recursive: true });
  });

  test('is up in seconds', () => expect(upSeconds).toBeLessThan(8));

  test('runs commands as root and as users', async () => {
    expect(await lab.node('n1').run(['id', '-un'])).toEqual({ stdout: 'root\n', stderr: '', exitCode: 0 });
    const asBob = await lab.ctl.run('id -u; hostname; echo "$X"; pwd; cat', {
      user: 'bob',
      env: { X: 'a b' },
      cwd: '/shared',
      input: 'in',
    });
    expect(asBob.stdout).toBe('2001\nctl\na b\n/shared\nin');
    const failing = lab.node('n2').run('echo why >&2; exit 3');
    await expect(failing).rejects.toThrow(LabError);
    await expect(failing).rejects.toThrow(/n2: sh -c .* exited with 3\nwhy/);
    expect(await lab.node('n2').run('exit 3', { reject: false })).toMatchObject({ exitCode: 3 });
    await expect(lab.ctl.run(['sleep', '60'], { timeoutMs: 100 })).rejects.toThrow('took over 100 ms');
    expect((await lab.ctl.run('pgrep -x sleep', { reject: false })).stdout).toBe('');
  });

  test('moves files', async () => {
    const node = lab.node('n1');
    await node.writeFile('/opt/some/file', 'ü\n', 0o600);
    expect(await node.readFile('/opt/some/file')).toBe('ü\n');
    expect(await readFile(join(node.rootPath, 'opt/some/file'), 'utf8')).toBe('ü\n');
    await node.copyIn(scratch, '/opt/copy');
    expect((await node.run(['/opt/copy/tool'])).stdout).toBe('tool on n1\n');
    expect((await node.run(['/opt/tools/tool'])).stdout).toBe('tool on n1\n');
    await expect(node.run('touch /opt/tools/x')).rejects.toThrow('Read-only');
  });

  test('gives services systemd as it is', async () => {
    const node = lab.node('n1');
    await node.writeFile('/etc/secret', 'token');
    await node.writeFile('/etc/systemd/system/boxed.service', boxedService);
    await node.run(['systemctl', 'start', 'boxed']);
    expect((await node.run('systemctl show --property=ActiveState,SubState boxed')).stdout).toBe(
      'ActiveState=active\nSubState=running\n',
    );
    expect(await node.journal('boxed')).toMatch(
      /credential token\n(.*\n)*.*etc is read-only\n(.*\n)*.*state \/var\/lib\/boxed/,
    );
  });

  test('runs jobs, after the prolog', async () => {
    const id = await lab.submit({
      script: '#!/bin/sh\nid -un; hostname; echo "$1"',
      args: ['x y'],
      options: ['-wn2'],
    });
    const job = await lab.waitForJob(id, 'COMPLETED');
    expect(job).toMatchObject({ NodeList: 'n2', Restarts: '0', ExitCode: '0:0' });
    expect(await readFile(join(lab.shared, `slurm-${id}.out`), 'utf8')).toBe('alice\nn2\nx y\n');
    await lab.node('n2').run(['test', '-e', `/run/prolog-${id}`]);
    await expect(lab.submit({ script: '#!/bin/sh', options: ['--partition=none'] })).rejects.toThrow(
      'invalid partition',
    );
  });

  test('drains and resumes nodes', async () => {
    await lab.drain('n1', 'a reason');
    await lab.waitForNode('n1', 'IDLE+DRAIN');
    expect((await lab.ctl.run(['sinfo', '-h', '-n', 'n1', '-o', '%E'])).stdout).toBe('a reason\n');
    await lab.resume('n1');
    await lab.waitForNode('n1', 'IDLE');
  });

  test('reaches nobody else', async () => {
    expect((await lab.ctl.run(['ip', 'route', 'get', '192.0.2.1'], { reject: false })).stderr).toContain(
      'unreachable',
    );
    await lab.ctl.run(['ping', '-c1', '-W2', 'host']);
    expect(lab.hostAddress).toMatch(/^10\./);
  });

  test('survives a node that is cut off', async () => {
    const node = lab.node('n2');
    const ping = { timeoutMs: 5_000, reject: false };
    await node.cutOff();
    expect((await lab.ctl.run(['ping', '-c1', '-W1', 'n2'], ping)).exitCode).not.toBe(0);
    await node.run(['systemctl', 'is-active', 'slurmd']);
    await node.reconnect();
    await until(async () => (await lab.ctl.run(['ping', '-c1', '-W1', 'n2'], ping)).exitCode === 0, {
      what: 'n2',
    });
  });

  test('survives a crash: the disk stays, the job comes back, other clusters do not matter', async () => {
    await using other = await Lab.start({ nodes: 1 });
    expect(other.node('n1').address).not.toBe(lab.node('n1').address);
    const id = await lab.submit({ script: count, options: ['--nodelist=n1'] });
    await lab.waitForJob(id, 'RUNNING');
    const node = lab.node('n1');
    await node.writeFile('/etc/kept', 'kept');
    await node.crash();
    expect(node.running).toBe(false);
    await expect(node.run('true')).rejects.toThrow('n1 is off');
    await lab.ctl.run('scontrol update nodename=n1 state=down reason=crashed');
    await lab.waitForJob(id, 'PENDING');
    await node.start();
    expect(await node.readFile('/etc/kept')).toBe('kept');
    await lab.ctl.run(['scontrol', 'update', `jobid=${id}`, 'starttime=now']);
    expect(await lab.waitForJob(id, 'RUNNING')).toMatchObject({ Restarts: '1' });
    await lab.ctl.run(['scancel', `${id}`]);
    expect((await other.ctl.run('squeue -h')).stdout).toBe('');
  });

  test('shuts a node down in good order', async () => {
    await lab.node('n2').stop();
    await lab.node('n2').start();
    expect(await lab.node('n2').journal()).toContain('Stopped slurmd.service');
    await lab.waitForNode('n2', 'IDLE');
    await lab.node('n2').run(['systemctl', 'poweroff']);
    await until(() => !lab.node('n2').running, { what: 'n2 to power itself off' });
    await lab.node('n2').start();
  });
});

describe('nothing is left', { timeout: 60_000 }, () => {
  const child = join(import.meta.dirname, 'fixtures/hold.ts');

  /** A process with a cluster of one node; resolves with the cluster's name once that is up. */
  async function holder() {
    const holding = execa(process.execPath, [child], { reject: false, stderr: 'inherit' });
    const [line] = (await once(holding.stdout, 'data')) as [Buffer];
    return { holding, name: line.toString().trim() };
  }

  test('after a cluster is disposed of, even twice', async () => {
    const lab = await Lab.start({ nodes: 1 });
    const name = lab.name;
    expect(await traces(name)).not.toEqual([]);
    await lab[Symbol.asyncDispose]();
    await lab[Symbol.asyncDispose]();
    expect(await traces(name)).toEqual([]);
  });

  test.each([
    [
      'has what the daemon said',
      { files: { '/etc/slurm/cgroup.conf': 'Bad=1\n' } },
      /slurm.* failed:.* Bad/s,
    ],
    ['has what the console said', { binds: [{ from: '/no/such', to: '/x' }] }, /did not boot:.*\/no\/such/s],
  ])('after a start that fails, whose error %s', async (_, options, message) => {
    const error = await Lab.start({ nodes: 1, ...options }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(LabError);
    expect((error as LabError).message).toMatch(message);
    expect(await traces((error as LabError).message.split(':')[0]!)).toEqual([]);
  });

  test.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)('after its process got %s', async (signal) => {
    const { holding, name } = await holder();
    expect(await traces(name)).not.toEqual([]);
    holding.kill(signal);
    await holding;
    await until(async () => (await traces(name)).length === 0, { what: `the end of ${name}` });
  });

  test('after its process and its reaper were killed and somebody swept, who left the living alone', async () => {
    await using living = await Lab.start({ nodes: 1 });
    const { holding, name } = await holder();
    const children = await readFile(`/proc/${holding.pid}/task/${holding.pid}/children`, 'utf8');
    for (const pid of children.trim().split(' ')) {
      if ((await readFile(`/proc/${pid}/cmdline`, 'utf8')).includes('reaper.ts'))
        process.kill(Number(pid), 'SIGKILL');
    }
    holding.kill('SIGKILL');
    await holding;
    expect(await traces(name)).not.toEqual([]);
    const sweep = join(import.meta.dirname, 'sweep.ts');
    expect((await execa(process.execPath, [sweep])).stdout).toBe(`removed ${name}`);
    expect(await traces(name)).toEqual([]);
    expect((await execa(process.execPath, [sweep])).stdout).toBe('nothing to remove');
    expect((await living.ctl.run(['sinfo', '-h', '-o', '%T'])).stdout).toBe('idle\n');
    expect(await readdir('/var/lib/ckptd-lab')).toContain(living.name);
  });
});

const boxedService = `[Service]
Type=notify
DynamicUser=yes
StateDirectory=boxed
LoadCredential=token:/etc/secret
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
NoNewPrivileges=yes
RestrictAddressFamilies=AF_UNIX AF_INET
SystemCallFilter=@system-service
CapabilityBoundingSet=
NotifyAccess=all
ExecStart=/bin/sh -c 'echo "credential $(cat $CREDENTIALS_DIRECTORY/token)"; touch /etc/x 2>/dev/null || echo etc is read-only; echo state $STATE_DIRECTORY; systemd-notify --ready; exec sleep 1000'
`;
