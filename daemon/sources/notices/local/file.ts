import type { NoticesConfig } from '../../../config/notices-config.ts';
import type { Millis } from '../../../vocabulary/job.ts';
import type { NoticeSource, SourcePorts } from '../notice-source.ts';
import { FileChanges } from './file-changes.ts';
import { type FileState, readFileState } from './file-read.ts';
import { FILE_SOURCE, isComplete, readFileNotice } from './parse-file.ts';

/** How long a new file may stay empty. `echo … > file` takes less, and a notice should not wait longer. */
const SETTLE: Millis = 40;
const MOST_SETTLES = 10;

/**
 * The file source: a file announces a termination by its existence, and withdraws it by its removal. `parse-file.ts`
 * has the form of its content. The kernel reports changes at once; the file is also polled now and then.
 */
export function fileSource({ file: path, filePoll }: Pick<NoticesConfig, 'file' | 'filePoll'>): NoticeSource {
  return { name: FILE_SOURCE, watch: (ports, signal) => watchFile(path, filePoll, ports, signal) };
}

async function watchFile(
  path: string,
  pollMs: Millis,
  ports: SourcePorts,
  signal: AbortSignal,
): Promise<never> {
  const { clock } = ports;
  let changed = new AbortController();
  using changes = new FileChanges(path, () => changed.abort());
  for (;;) {
    const unwatched = changes.renew();
    if (unwatched !== null) {
      const fields = { file: path, problem: unwatched };
      ports.log.debug(
        fields,
        'the kernel does not tell of the termination file: it is looked for now and then',
      );
    }
    // Before the read, or a change during the read would be missed.
    changed = new AbortController();
    const woken = changed.signal;
    tell(path, await settled(path, ports, signal), ports);
    try {
      await clock.sleep(pollMs, AbortSignal.any([signal, woken]));
    } catch (error) {
      if (signal.aborted || !woken.aborted) throw error;
    }
  }
}

/** A file is created before it is written: reads it again until it stays the same. */
async function settled(
  path: string,
  { clock, health }: SourcePorts,
  signal: AbortSignal,
): Promise<FileState> {
  health.asked();
  let state = await readFileState(path);
  for (let looks = 0; looks < MOST_SETTLES; looks++) {
    if (state.type !== 'there' || isComplete(state.text)) break;
    await clock.sleep(SETTLE, signal);
    const before = state.stamp;
    state = await readFileState(path);
    if (state.type === 'there' && state.stamp === before) break;
  }
  return state;
}

function tell(path: string, state: FileState, { clock, health, emit }: SourcePorts): void {
  if (state.type === 'failed') return health.failed(state.problem);
  health.answered();
  const at = clock.now();
  if (state.type !== 'there') {
    if (state.type === 'forged') health.odd(`${path} ${state.why}: it is not believed, and means nothing`);
    return emit({ type: 'notices', at, source: FILE_SOURCE, standing: [] });
  }
  const { notice, problems } = readFileNotice(state.text);
  if (problems.length > 0) {
    const taken = `${notice.kind}, ${notice.deadline === null ? 'no deadline' : 'with its deadline'}`;
    health.odd(`${path} is taken for a notice all the same (${taken}): ${problems.join('; ')}`);
  }
  emit({ type: 'notices', at, source: FILE_SOURCE, standing: [notice] });
}
