/** The process group of a child that was started `detached`. */
export function groupOf(pid: number | undefined): { kill(signal: NodeJS.Signals): void } {
  return {
    kill(signal) {
      if (pid === undefined) return;
      try {
        process.kill(-pid, signal);
      } catch {
        // The group is empty.
      }
    },
  };
}
