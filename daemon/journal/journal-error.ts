/** What went wrong with the journal; `openJournal` throws all but the last two, which come later. */
export type JournalProblem =
  /** The file was written by a newer ckptd. */
  | 'newer'
  /** Another process holds the file: a second daemon on one state_dir. */
  | 'locked'
  /** The folder is missing, read-only or full, or the file may not be opened. */
  | 'unusable'
  /** A write was refused: disk full, read-only, I/O error. Nothing of it is half there. */
  | 'write'
  /** An effect was to be started that is not in the outbox: settled, or never written. */
  | 'not-in-outbox';

export class JournalError extends Error {
  override readonly name = 'JournalError';
  readonly code: JournalProblem;

  constructor(code: JournalProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
