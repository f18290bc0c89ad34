/** Ends a process and all that it started, at once. It must be the leader of its group, and not be reaped yet. */
export function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL")
  } catch {
    // ESRCH: it ended by itself in the same moment.
  }
}
