/** Whose rights the files of a job are changed with. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
  /** The other ones. */
  readonly groups: readonly number[];
}
