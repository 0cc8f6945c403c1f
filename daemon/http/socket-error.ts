/** The socket cannot be made: its folder, mode, group or length; `cause` has the system's error. */
export class SocketError extends Error {
  override readonly name: string = 'SocketError';
}

/** The path is taken, and not by something stale: a daemon answers there, or it is no socket. Nothing was deleted. */
export class SocketBusyError extends SocketError {
  override readonly name = 'SocketBusyError';
}
