import { expect, test } from 'vitest';
import { expandHostlist } from '../../daemon/slurm/hostlist.ts';
import { Lab } from '../lab/lab.ts';
import fc from '../support/properties.ts';
import { list } from './hostlists.ts';

test("agrees with Slurm's own scontrol show hostnames", async () => {
  await using lab = await Lab.start({ nodes: 1 });
  const lists = fc.sample(list, 300);
  const { stdout } = await lab.ctl.run(
    'while read -r list; do scontrol show hostnames "$list" | tr "\\n" " "; echo; done',
    { input: lists.map((text) => `${text}\n`).join('') },
  );
  const theirs = stdout.split('\n').slice(0, -1);
  const ours = lists.map((text) => {
    const expanded = expandHostlist(text);
    return expanded.ok ? expanded.hosts.map((host) => `${host} `).join('') : expanded.message;
  });
  expect(theirs).toHaveLength(lists.length);
  lists.forEach((text, n) => {
    expect(ours[n], text).toBe(theirs[n]);
  });
});
