/** Ends a process and all that it started, at once. It must be the leader of its group. */
export function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL")
  } catch {
    // ESRCH: nothing of the group is left.
  }
}
