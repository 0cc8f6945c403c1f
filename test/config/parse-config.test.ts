import { expect, test } from 'vitest';
import { ConfigError, renderProblem } from '../../daemon/config/problem.ts';
import { BAD_FILES } from './bad-files.ts';
import { CLUSTER_ID, COMPLETE, config, problems } from './support.ts';

test.each(BAD_FILES)('says what is wrong with $text', ({ text, says }) => {
  expect(problems(text)).toEqual(says.map((line) => `ckptd.yaml:${line}`));
});

test('everything that is wrong is said at once, in the order of the file, the environment last', () => {
  const text = 'slurm: {poll_node: 15}\nfoo: 1\nlog: {level: silent}';
  const lines = problems(text, { CEDANA_URL: 'ftp://h', CEDANA_AUTH_TOKEN: 'not a token' });
  expect(lines).toEqual([
    'ckptd.yaml:1:1: cluster_id: is missing: set it here, or CEDANA_CLUSTER_ID in the environment',
    'ckptd.yaml:1:20: slurm.poll_node: must be a duration such as 500ms, 90s, 15m, 2h or 1d, not the number 15',
    expect.stringMatching(/^ckptd\.yaml:2:1: foo: unknown key/),
    expect.stringMatching(/^ckptd\.yaml:3:14: log\.level: must be one of/),
    'environment variable CEDANA_URL: api.url: must be https://host or unix:/absolute/path',
    'environment variable CEDANA_AUTH_TOKEN: api.token_file: holds no bearer token',
  ]);
});

test('past fifty problems the rest is counted', () => {
  const text = Array.from({ length: 60 }, (_, index) => `x${index}: 1`).join('\n');
  const lines = problems(text);
  expect(lines).toHaveLength(51);
  expect(lines.at(-1)).toBe('… and 10 more');
});

test('an error holds its problems as data', () => {
  const error = (() => {
    try {
      return config('log: {level: loud}');
    } catch (thrown) {
      return thrown as ConfigError;
    }
  })();
  expect(error).toBeInstanceOf(ConfigError);
  const { problems: found } = error as ConfigError;
  expect(found).toEqual([
    { source: 'ckptd.yaml', line: 1, column: 14, path: 'log.level', reason: expect.any(String) },
  ]);
  expect(found.map(renderProblem).join('\n')).toBe((error as ConfigError).message);
});

test('an alias stands for the value of its anchor, and problems are said where it is used', () => {
  const shared = 'heartbeat: {every: &e 5m}\npolicies: [{match: {}, heartbeat: {every: *e}}]';
  expect(config(shared).policies[0]?.heartbeat.trigger).toEqual({ every: 300_000 });
  expect(problems('heartbeat: {every: &e 5m}\nlog: {level: *e}')).toEqual([
    'ckptd.yaml:2:14: log.level: must be one of trace, debug, info, warn, error, fatal, not "5m"',
  ]);
});

test('the host name gives the node, unless it cannot be one', () => {
  expect(config('', COMPLETE, 'n7.cluster.example.com').slurm.node).toBe('n7');
  expect(config('slurm: {node: gpu-1}', COMPLETE, '').slurm.node).toBe('gpu-1');
  expect(problems('', COMPLETE, '(none)')).toEqual([
    'ckptd.yaml:1:1: slurm.node: is missing, and the host name is no node name',
  ]);
});

test('the environment fills what the file leaves out, and nothing else', () => {
  const file = `cluster_id: ${CLUSTER_ID.toUpperCase()}\napi: {url: unix:/run/x.sock}`;
  expect(config(file)).toMatchObject({ clusterId: CLUSTER_ID, api: { url: 'unix:/run/x.sock' } });
  expect(config('api: {timeout: 5s}').api).toMatchObject({
    url: 'https://cedana.example.com',
    timeout: 5000,
  });
  expect(problems('', { CEDANA_URL: '  ', CEDANA_CLUSTER_ID: '' })).toHaveLength(2);
});
