/** Commits until it is killed: `node kill-child.ts DIR FIRST`; says the number of each commit after it returned. */
import { writeSync } from 'node:fs';
import type { State } from '../../daemon/vocabulary/state.ts';
import { commitOf, EMPTY, endSource, job, open } from './support.ts';

const [dir = '', first = ''] = process.argv.slice(2);
const journal = open(dir);
let state: State = journal.load().state ?? EMPTY;
for (let number = Number(first); ; number += 1) {
  // Three records that belong together, so that half a commit would show.
  const records = [1, 2, 3].map((jobId) => job(jobId, number));
  const after = { ...EMPTY, clock: number, jobs: new Map(records.map((each) => [each.jobId, each])) };
  journal.commit(
    commitOf({
      event: { type: 'started', at: number },
      before: state,
      after,
      effects: [endSource(`e${number}`)],
    }),
  );
  state = after;
  journal.started(`e${number}`, number);
  writeSync(1, `${number}\n`);
}
