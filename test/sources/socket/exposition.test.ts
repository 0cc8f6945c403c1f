import { expect, test } from 'vitest';
import { exposition } from '../../../daemon/sources/socket/exposition.ts';

test('counters and gauges with labels, escaped', () => {
  const text = exposition([
    {
      name: 'ckptd_restores_total',
      help: 'Restores, by how they ended.\nSee \\history.',
      type: 'counter',
      samples: [
        { labels: { outcome: 'restored', reason: 'a"b\\c\nd' }, value: 3 },
        { labels: { outcome: 'failed' }, value: 0 },
      ],
    },
    { name: 'ckptd_jobs', help: 'Jobs.', type: 'gauge', samples: [{ value: 1.5e21 }, { value: Number.NaN }] },
    { name: 'ckptd_none', help: 'None.', type: 'gauge', samples: [{ value: -Infinity }] },
  ]);
  expect(text).toBe(`# HELP ckptd_restores_total Restores, by how they ended.\\nSee \\\\history.
# TYPE ckptd_restores_total counter
ckptd_restores_total{outcome="restored",reason="a\\"b\\\\c\\nd"} 3
ckptd_restores_total{outcome="failed"} 0
# HELP ckptd_jobs Jobs.
# TYPE ckptd_jobs gauge
ckptd_jobs 1.5e+21
ckptd_jobs NaN
# HELP ckptd_none None.
# TYPE ckptd_none gauge
ckptd_none -Inf
`);
});

test('a name that would spoil the page is an error', () => {
  expect(() => exposition([{ name: 'a b', help: '', type: 'gauge', samples: [] }])).toThrow(TypeError);
  const samples = [{ labels: { 'a-b': '' }, value: 1 }];
  expect(() => exposition([{ name: 'a', help: '', type: 'gauge', samples }])).toThrow(TypeError);
});
