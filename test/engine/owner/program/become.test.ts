import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { act, isRoot, OWNER } from './support.ts';

/** Whether the owner may look into a process of his own, as ptrace(2) decides it; `environ` goes by the same rule. */
function ownerMayTrace(pid: number): boolean {
  const ids = [`--reuid=${OWNER.uid}`, `--regid=${OWNER.gid}`, '--clear-groups'];
  return spawnSync('setpriv', [...ids, 'cat', `/proc/${pid}/environ`]).status === 0;
}

test.runIf(isRoot)(
  'the answer cannot be forged: the owner may not trace the process that gives it',
  async () => {
    const becomes = join(import.meta.dirname, 'fixtures/becomes.ts');
    const ids = [String(OWNER.uid), String(OWNER.gid)];
    const child = spawn(process.execPath, [becomes, ...ids], { stdio: ['pipe', 'pipe', 'inherit'] });
    const plain = spawn('setpriv', [`--reuid=${ids[0]}`, `--regid=${ids[1]}`, '--clear-groups', 'cat']);
    try {
      await once(child.stdout, 'data');
      plain.stdin.write('started');
      await once(plain.stdout, 'data');
      expect(ownerMayTrace(plain.pid!)).toBe(true);
      expect(ownerMayTrace(child.pid!)).toBe(false);
    } finally {
      child.kill('SIGKILL');
      plain.kill('SIGKILL');
    }
  },
);

test.runIf(isRoot)('a process that did not become the owner does nothing', async () => {
  const answer = await act({ uid: 4_294_967_295, gid: OWNER.gid, groups: [] }, []);
  expect(answer).toMatchObject({ ok: false });
});
