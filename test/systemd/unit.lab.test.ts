import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Lab, type LabNode, until } from '../lab/lab.ts';
import { probeCheckout } from './checkout.ts';

describe('ckptd.service under real systemd, with a program that tries all that the daemon does', {
  timeout: 60_000,
}, () => {
  let lab: Lab;
  let node: LabNode;

  beforeAll(async () => {
    lab = await Lab.start({ nodes: 1 });
    node = lab.node('n1');
    using checkout = await probeCheckout();
    const { status, stderr } = spawnSync(join(checkout.path, 'systemd/install'), ['--root', node.rootPath], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(stderr);
    await node.run(['systemctl', 'daemon-reload']);
    await node.run(['systemctl', 'start', 'ckptd']);
  }, 300_000);

  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  const show = async (property: string) =>
    (await node.run(['systemctl', 'show', '--value', '-p', property, 'ckptd'])).stdout.trim();

  test('it starts, without a credential, and says how it is', async () => {
    expect(await show('ActiveState')).toBe('active');
    expect(await show('StatusText')).toBe('3 jobs; API ok');
  });

  test('the sandbox lets it do its work, and no more', async () => {
    const found = await node.run([
      'curl',
      '-s',
      '--unix-socket',
      '/run/ckptd/ckptd.sock',
      'http://localhost/',
    ]);
    expect(JSON.parse(found.stdout)).toEqual({
      state: 'ok',
      squeue: 'ok ',
      sinfo: 'ok idle',
      drain: 'ok ',
      spool: 'ok',
      interfaces: 'ok true',
      sockets: 'ok true',
      socket: 'ok',
      fetch: 'ok 200',
      home: 'ok 0',
      etc: expect.stringContaining('EROFS'),
      // CAP_CHOWN and CAP_DAC_READ_SEARCH.
      capabilities: '0000000000000005',
      credentials: expect.stringMatching(/none|ckptd\.service/),
    });
    const socket = await node.run(['stat', '-c', '%a %u %g', '/run/ckptd/ckptd.sock']);
    expect(socket.stdout).toBe('660 0 2000\n');
    expect((await node.run(['stat', '-c', '%a', '/var/lib/ckptd'])).stdout).toBe('700\n');
  });

  test('its lines have their priority in the journal, and are whole', async () => {
    const { stdout } = await node.run('journalctl -u ckptd -p warning -o json | grep "probe is up"');
    const entry = JSON.parse(stdout);
    expect(entry.PRIORITY).toBe('4');
    expect(JSON.parse(entry.MESSAGE)).toMatchObject({ level: 'warn', job_name: 'a\n<0>b' });
  });

  test('a reload is one to systemd too', async () => {
    await node.run(['systemctl', 'reload', 'ckptd']);
    await until(async () => (await show('StatusText')) === 'loaded 2 times', { what: 'the reload' });
    expect(await show('ActiveState')).toBe('active');
  });

  test('a slurmd that restarts does not stop it', async () => {
    const pid = await show('MainPID');
    await node.run(['systemctl', 'restart', 'slurmd', 'munge']);
    expect(await show('MainPID')).toBe(pid);
    expect(await show('ActiveState')).toBe('active');
  });

  test('a crash starts it again', async () => {
    const pid = await show('MainPID');
    await node.run(['systemctl', 'kill', '-s', 'KILL', '--kill-whom=main', 'ckptd']);
    await until(async () => (await show('ActiveState')) === 'active' && (await show('MainPID')) !== pid, {
      what: 'a new process',
    });
  });

  test('a loop that stands still gets no ping, and a process that gets none is replaced', async () => {
    const pid = await show('MainPID');
    await node.run(
      `mkdir -p /run/systemd/system/ckptd.service.d
      printf '[Service]\\nWatchdogSec=2s\\nRestartSec=1s\\n' > /run/systemd/system/ckptd.service.d/test.conf
      systemctl daemon-reload
      systemctl restart ckptd`,
    );
    const patient = await show('MainPID');
    expect(patient).not.toBe(pid);
    await node.run(['sleep', '4']);
    expect(await show('MainPID')).toBe(patient);
    await node.run(['touch', '/run/ckptd/stall']);
    await until(async () => (await show('NRestarts')) !== '0', { what: 'the watchdog' });
    await node.run(['rm', '/run/ckptd/stall']);
    expect((await node.run('journalctl -u ckptd')).stdout).toMatch(/Watchdog timeout/);
    await until(async () => (await show('ActiveState')) === 'active', { what: 'a new process' });
  });

  test('a configuration that is wrong (78) does not start again', async () => {
    await node.run(
      `printf '[Service]\\nExecStart=\\nExecStart=/bin/sh -c "exit 78"\\n' > /run/systemd/system/ckptd.service.d/test.conf
      systemctl daemon-reload`,
    );
    await node.run(['systemctl', 'restart', 'ckptd'], { reject: false });
    expect(await show('ActiveState')).toBe('failed');
    await node.run(
      'rm /run/systemd/system/ckptd.service.d/test.conf; systemctl daemon-reload; systemctl restart ckptd',
    );
  });

  test('it stops when told, cleanly', async () => {
    await node.run(['systemctl', 'stop', 'ckptd']);
    expect(await show('Result')).toBe('success');
    expect(await show('ActiveState')).toBe('inactive');
  });
});
