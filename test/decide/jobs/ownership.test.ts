import { expect, test } from 'vitest';
import { policyOf, ruleOf, Scene } from '../scene.ts';

test.each([
  { what: 'the batch host owns a job', facts: {}, owned: true },
  {
    what: 'another node of a two-node job leaves it alone',
    facts: { batchHost: 'n0', nodes: ['n0', 'n1'] },
    owned: false,
  },
  { what: 'the batch host owns a two-node job', facts: { nodes: ['n1', 'n2'] }, owned: true },
  { what: 'the leader of a heterogeneous job is owned', facts: { hetJobId: 7 }, owned: true },
  { what: 'another component of a heterogeneous job is not', facts: { hetJobId: 6 }, owned: false },
  {
    what: 'a pending job belongs to nobody',
    facts: { state: 'PENDING', batchHost: null, nodes: [] },
    owned: false,
  },
])('$what', ({ facts, owned }) => {
  const scene = new Scene();
  scene.job(7, facts);
  expect(scene.state.jobs.has(7)).toBe(owned);
});

test('a job that is not owned is forgotten, with what its Prolog said', () => {
  const scene = new Scene();
  scene.send({ type: 'prolog', at: scene.now, jobId: 7, restarts: 0, override: { off: true } });
  scene.job(7, { batchHost: 'n0', nodes: ['n0', 'n1'] });
  expect(scene.state.jobs.size).toBe(0);
});

test('a drained node moves only the jobs that this daemon owns', () => {
  const scene = new Scene();
  scene.job(1);
  scene.job(2, { batchHost: 'n0', nodes: ['n0', 'n1'] });
  scene.drain();
  expect(scene.sent.map((effect) => 'jobId' in effect && effect.jobId)).toEqual([1]);
});

test('nodes that no owned job runs on are forgotten, but not its own', () => {
  const scene = new Scene();
  scene.job(1, { nodes: ['n1', 'n2'] });
  scene.resume('n1');
  scene.resume('n2');
  scene.resume('n3');
  expect([...scene.state.nodes.keys()]).toEqual(['n1', 'n2']);
  scene.job(1, { state: 'COMPLETED' });
  expect([...scene.state.nodes.keys()]).toEqual(['n1']);
});

test('a job whose policy is disabled is left alone on a drain', () => {
  const scene = new Scene(policyOf({ rules: [ruleOf({ enabled: false })] }));
  scene.job(1);
  scene.drain();
  expect(scene.sent).toEqual([]);
});
