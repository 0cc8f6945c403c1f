import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readSocketName, spoolJobs } from '../../daemon/slurm/spool.ts';

let dir = '';
let servers: Server[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spool-'));
});
afterEach(async () => {
  for (const server of servers) server.close();
  servers = [];
  await rm(dir, { recursive: true });
});

async function listen(name: string, accept: () => void = () => {}): Promise<Server> {
  const server = createServer((socket) => {
    accept();
    socket.destroy();
  });
  servers.push(server);
  server.listen(join(dir, name));
  await once(server, 'listening');
  return server;
}

/** What is left of a stepd that was killed: the file, and nobody behind it. */
async function stale(name: string): Promise<void> {
  const server = await listen(`${name}.tmp`);
  await rename(join(dir, `${name}.tmp`), join(dir, name));
  await new Promise((resolve) => server.close(resolve));
}

const jobs = async (node = 'n1', from = dir) => [...(await spoolJobs(from, node)).keys()].sort();

test.each([
  ['n1_7.4294967291', 'n1', 7, 4294967291],
  ['n1_7.0', 'n1', 7, 0],
  ['n1_7.3.1', 'n1', 7, 3],
  ['rack_1.a_7.4294967292', 'rack_1.a', 7, 4294967292],
])('%s is of %s', (name, node, jobId, step) => {
  expect(readSocketName(name, node)).toEqual({ name, jobId, step });
});

test.each([
  ['n1_2_7.0', 'n1'],
  ['n11_7.0', 'n1'],
  ['n1_7', 'n1'],
  ['n1_7.x', 'n1'],
  ['n1_.0', 'n1'],
  ['hwloc_topo_7.4294967291.xml', 'hwloc_topo'],
  ['job00007', 'n1'],
  ['cred_state', 'n1'],
])('%s is no socket of %s', (name, node) => {
  expect(readSocketName(name, node)).toBeNull();
});

test('finds the jobs of one node among those of others, and no stale or false ones', async () => {
  await listen('n1_7.4294967291');
  await listen('n1_7.4294967292');
  await listen('n1_8.4294967292');
  await listen('n2_9.4294967291');
  await stale('n1_10.4294967291');
  await writeFile(join(dir, 'n1_11.4294967291'), '');
  expect(await jobs('n1')).toEqual([7, 8]);
  expect(await jobs('n2')).toEqual([9]);
  expect(await jobs('n3')).toEqual([]);
});

test('a live step keeps its job though the extern step is stale', async () => {
  await stale('n1_7.4294967292');
  await listen('n1_7.0');
  expect(await jobs()).toEqual([7]);
});

test('does not disturb a stepd, and finds one behind a symbolic link', async () => {
  let accepted = 0;
  await listen('n1_7.4294967291', () => accepted++);
  expect(await jobs()).toEqual([7]);
  expect(accepted).toBe(0);
  const link = `${dir}-link`;
  await symlink(dir, link);
  expect(await jobs('n1', link)).toEqual([7]);
  await rm(link);
});

test('tells two runs of the same job apart', async () => {
  const first = await listen('n1_7.4294967291');
  const before = (await spoolJobs(dir, 'n1')).get(7)?.incarnation;
  expect((await spoolJobs(dir, 'n1')).get(7)?.incarnation).toBe(before);
  await new Promise((resolve) => first.close(resolve));
  await listen('n1_7.4294967291');
  const after = (await spoolJobs(dir, 'n1')).get(7)?.incarnation;
  expect(after).toBeDefined();
  expect(after).not.toBe(before);
});

test('sees that a process was killed', async () => {
  const path = join(dir, 'n1_7.4294967291');
  const script = 'require("node:net").createServer().listen(process.argv[1], () => console.log("up"))';
  const stepd = spawn(process.execPath, ['-e', script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(stepd.stdout, 'data');
  expect(await jobs()).toEqual([7]);
  stepd.kill('SIGKILL');
  await once(stepd, 'close');
  expect(await jobs()).toEqual([]);
});

test('a folder that is not there is an error', async () => {
  await expect(spoolJobs(join(dir, 'nothing'), 'n1')).rejects.toMatchObject({ code: 'ENOENT' });
});
