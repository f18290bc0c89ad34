/**
 * A few words of memory that the daemon and one env process share: what one writes, the other reads at once, however busy
 * both of their event loops are. It is a file that both map; once both have, its name is not needed.
 */
export const ServedWord = {
  /**
   * Counts what the daemon has said of what it serves from the process (`ServeRequest`). It is counted up before anything
   * of that changes, so that a process which has not heard of a change knows that there is one.
   */
  edition: 0,
  /** Calls that the process makes to its own functions without leaving it. The process writes it. */
  ownCalls: 1,
  /** Those of them that are on threads, or will be. The process writes it. */
  ownThreadCalls: 2,
  /**
   * 1: calls wait in the daemon for a thread that such a call has, so the process says when one ends. The daemon sets it, the
   * process takes it back.
   */
  threadsWanted: 3,
  /** So many threads may have calls at a time, whoever makes them. The daemon writes it. */
  threadsMax: 4,
} as const

export const SERVED_BYTES = 5 * Int32Array.BYTES_PER_ELEMENT

/** Throws where the system does not share memory of that file. */
export function mapServedWords(path: string): Int32Array {
  const { buffer, byteOffset } = Bun.mmap(path, { shared: true })
  return new Int32Array(buffer, byteOffset, SERVED_BYTES / Int32Array.BYTES_PER_ELEMENT)
}
