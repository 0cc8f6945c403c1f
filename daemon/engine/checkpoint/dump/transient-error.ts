/** Why a job could not be saved in that very moment. In the next one it probably can. */
export class TransientError extends Error {
  override readonly name = 'TransientError';
}
