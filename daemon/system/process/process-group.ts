/** The processes of a child that was started `detached`, and of whatever it started itself. */
export function groupOf(pid: number | undefined): { kill(signal: NodeJS.Signals): void } {
  return {
    kill(signal) {
      if (pid === undefined) return;
      try {
        process.kill(-pid, signal);
      } catch {
        // Nobody is left in the group.
      }
    },
  };
}
