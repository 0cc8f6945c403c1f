/** Something in the lab itself went wrong (not in what is being tested); the message says what, and `cause` why. */
export class LabError extends Error {
  override name = 'LabError';
}
