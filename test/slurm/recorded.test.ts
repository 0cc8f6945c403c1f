import { describe, expect, test } from 'vitest';
import { actOutcome } from '../../daemon/perform/slurm/acting.ts';
import { readConf } from '../../daemon/slurm/conf.ts';
import { readNodes } from '../../daemon/slurm/sinfo.ts';
import { type JobAnswer, readJob } from '../../daemon/slurm/squeue.ts';
import { readAll } from '../../daemon/slurm/squeue-all.ts';
import { readUsersJobs } from '../../daemon/slurm/users-jobs.ts';
import type { JobFacts } from '../../daemon/vocabulary/job.ts';
import { RELEASES, recording, resultOf } from './recorded.ts';

// The bytes of cases.sh, with what is not UTF-8 replaced; Slurm puts an account into lower case.
const HOSTILE = '1500|0 a|b\tc\nd\x1fe\x1ef\x01g\ufffdh\ufffd\ufffdi\r\x1b[2Jj';
const SPOOF = 'x\n1\x1f1\x1fN/A\x1fN/A\x1f0\x1fRUNNING\x1f0\x1f1\x1f';

describe.each(RELEASES)('Slurm %s', (release) => {
  const { cases, mark } = recording(release);
  const result = (name: string) => resultOf(cases[name]!);
  const look = (name: string): JobAnswer => readJob(result(`job-${name}`), mark, cases[`job-${name}`]!.jobId);
  const facts = (name: string): JobFacts => {
    const seen = look(name);
    if (seen.type !== 'job') throw new Error(`${name}: ${JSON.stringify(seen)}`);
    return seen.facts;
  };
  const target = (name: string) => {
    const seen = look(name);
    return seen.type === 'job' ? seen.target : seen.type;
  };
  const node = (name: string, host: string) => {
    const seen = readNodes(result(name), mark, [host]);
    return seen.type === 'nodes' ? (seen.nodes.get(host) ?? 'unknown') : seen;
  };

  test('a running job', () => {
    const seen = facts('running');
    expect(seen).toEqual({
      jobId: cases['job-running']?.jobId,
      restarts: 0,
      uid: 1500,
      user: 'alice',
      state: 'RUNNING',
      nodes: ['n2'],
      batchHost: 'n2',
      partition: 'spot',
      account: '',
      qos: '',
      name: 'whole',
      cpus: 4,
      startAt: seen.startAt,
      submitAt: seen.submitAt,
      requeue: true,
      hetJobId: null,
    });
    expect(seen.submitAt).toBeGreaterThan(1.7e12);
    expect(seen.startAt).toBeGreaterThanOrEqual(seen.submitAt);
  });

  test('jobs of several nodes, of many CPUs, in a hidden partition', () => {
    expect(facts('multi')).toMatchObject({ nodes: ['n3', 'n4'], batchHost: 'n3', cpus: 2 });
    expect(facts('large').cpus).toBe(2048);
    expect(facts('hidden')).toMatchObject({ state: 'RUNNING', partition: 'hidden' });
  });

  test('jobs that do not run', () => {
    expect(facts('pending')).toMatchObject({ state: 'PENDING', nodes: [], batchHost: null, startAt: null });
    expect(facts('suspended')).toMatchObject({ state: 'SUSPENDED', batchHost: 'n3' });
    expect(facts('completing').state).toBe('COMPLETING');
    expect(facts('cancelled')).toMatchObject({ state: 'CANCELLED', nodes: ['n1'] });
    expect(facts('completed').state).toBe('COMPLETED');
  });

  test('a requeued job counts its restart from the moment of the requeue', () => {
    expect(facts('requeue-completing')).toMatchObject({ state: 'COMPLETING', restarts: 1 });
    expect(facts('requeued')).toMatchObject({ state: 'PENDING', restarts: 1, startAt: null });
    expect(facts('requeued-running')).toMatchObject({ state: 'RUNNING', restarts: 1, nodes: ['n3', 'n4'] });
    expect(facts('requeued').submitAt).toBeGreaterThan(facts('suspended').submitAt);
  });

  test('a task of an array is named so that nothing hits the whole array', () => {
    const array = cases['job-array-own']?.jobId;
    expect(facts('array-own')).toMatchObject({ jobId: array, state: 'RUNNING', cpus: 1 });
    expect(target('array-own')).toBe(`${array}_2`);
    expect(target('array-task')).toBe(`${array}_1`);
    expect(facts('array-completing')).toMatchObject({ jobId: array, state: 'COMPLETING' });
    expect(target('array-pending')).toBeNull();
    expect(target('running')).toBe(String(cases['job-running']?.jobId));
  });

  test('a heterogeneous job is its leader, with the nodes of all components', () => {
    const leader = cases['job-het']?.jobId;
    expect(facts('het')).toMatchObject({
      hetJobId: leader,
      nodes: ['n3', 'n4', 'n5'],
      batchHost: 'n3',
      cpus: 3,
    });
    expect(facts('het-component')).toMatchObject({ hetJobId: leader, nodes: ['n4', 'n5'], batchHost: null });
  });

  test('text of a user stays where it belongs, whatever it is', () => {
    expect(facts('hostile')).toMatchObject({
      uid: 1500,
      state: 'RUNNING',
      nodes: ['n1'],
      name: HOSTILE,
      account: HOSTILE.toLowerCase(),
    });
    expect(facts('spoof')).toMatchObject({ uid: 1500, nodes: ['n1'], name: SPOOF });
    expect(facts('long').name).toHaveLength(1_000);
    expect(facts('long').name).toBe('x\ufffd'.repeat(500));
  });

  test('an unknown job is absent; a slurmctld that is away says nothing', () => {
    expect(look('unknown')).toEqual({ type: 'absent' });
    expect(look('away')).toMatchObject({ type: 'unavailable', garbage: false });
    expect(node('node-away', 'n1')).toMatchObject({ type: 'unavailable', garbage: false });
    expect(readConf(result('conf-away'), { node: 'n1', host: 'h' })).toMatchObject({ type: 'unavailable' });
  });

  test('all jobs of a node', () => {
    const all = readAll(result('all-n1'), mark);
    const ids = all.type === 'jobs' ? all.jobs.map((job) => job.jobId) : [];
    const expected = ['hostile', 'long', 'spoof', 'array-task'].map((name) => cases[`job-${name}`]!.jobId);
    expect(ids.sort()).toEqual(expected.sort());
    expect(all).toMatchObject({
      jobs: [{ restarts: 0, state: 'RUNNING', hetJobId: null, batchHost: 'n1' }, {}, {}, {}],
    });
    expect(readAll(result('all-nothing'), mark)).toEqual({ type: 'jobs', jobs: [] });
    expect(readAll(result('all-unknown-node'), mark)).toMatchObject({ type: 'unavailable' });
  });

  test('all jobs of a user', () => {
    const listed = readUsersJobs(result('user-alice'), mark);
    const names = listed.type === 'jobs' ? new Set(listed.rows.map((row) => row.name)) : null;
    expect(names).toContain(SPOOF);
    expect(names).toContain(HOSTILE);
    expect(listed).toMatchObject({ type: 'jobs' });
    const unknown = readUsersJobs(result('user-unknown'), mark);
    expect(unknown).toEqual({ type: 'jobs', rows: [] });
  });

  test('nodes', () => {
    expect(node('node-idle', 'n1')).toEqual({ node: 'n1', base: 'IDLE', flags: [], reason: '' });
    expect(node('node-allocated', 'n2')).toMatchObject({ base: 'ALLOCATED', flags: [] });
    expect(node('node-draining', 'n3')).toMatchObject({ reason: 'a|b [x@y]\x1f,\n\ufffd +DRAIN' });
    expect(node('node-draining', 'n3')).toMatchObject({ flags: ['DRAIN'] });
    expect(node('node-drained', 'n2')).toMatchObject({
      base: 'IDLE',
      flags: ['DRAIN'],
      reason: 'maintenance of fans',
    });
    expect(node('node-resumed', 'n2')).toMatchObject({ flags: expect.not.arrayContaining(['DRAIN']) });
    expect(node('node-reboot', 'n6')).toMatchObject({ base: 'MIXED', flags: ['REBOOT_REQUESTED'] });
    const asap = node('node-reboot-asap', 'n5');
    expect(asap).toMatchObject({ flags: expect.arrayContaining(['DRAIN', 'REBOOT_REQUESTED']) });
    // sinfo's own mistake, see `isDoubtful`.
    expect(node('node-down', 'n4')).toMatchObject({ base: 'MIXED', flags: [], reason: 'broken' });
    expect(node('node-down-told', 'n4')).toMatchObject({ base: 'DOWN', reason: 'broken' });
    expect(node('node-unknown', 'n99')).toBe('unknown');
    expect(node('node-idle', 'n99')).toBe('unknown');
  });

  test('the whole table', () => {
    const wanted = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6'];
    const table = readNodes(result('table'), mark, [...wanted, 'n7']);
    expect(table.type === 'nodes' ? [...table.nodes.keys()].sort() : table).toEqual(wanted);
  });

  test('the configuration', () => {
    expect(readConf(result('conf'), { node: 'n1', host: 'h' })).toMatchObject({
      type: 'conf',
      conf: { spoolDir: '/var/spool/slurmd', slurmdTimeoutMs: 30_000 },
    });
  });

  test('commands that act', () => {
    expect(actOutcome(result('update-done'))).toEqual({ type: 'done' });
    expect(actOutcome(result('scancel-unknown'))).toEqual({ type: 'done' });
    expect(actOutcome(result('scancel-ended'))).toEqual({ type: 'done' });
    expect(actOutcome(result('update-unknown'))).toBe('over');
    expect(actOutcome(result('update-ended'))).toBe('over');
    expect(actOutcome(result('update-denied'))).toMatchObject({ type: 'refused', status: 0 });
    expect(actOutcome(result('update-away'))).toMatchObject({ type: 'unavailable' });
    expect(actOutcome(result('scancel-away'))).toMatchObject({ type: 'unavailable' });
  });
});
