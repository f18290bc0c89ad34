import { dlopen } from "bun:ffi"

/**
 * The system's number of the calling thread, by which others ask for its use of processors (processor-time.ts); 0 where that
 * cannot be told. Each thread says its own when it starts, so it is asked for by a system call: loading `node:fs`, to read it
 * from /proc, takes a third of the time that a thread needs to start.
 */
export function ownThreadNumber(): number {
  try {
    return byCall()
  } catch {
    return fromProc()
  }
}

/** Where there is the C library of GNU. */
function byCall(): number {
  const library = dlopen("libc.so.6", { gettid: { args: [], returns: "i32" } })
  const number = library.symbols.gettid()
  library.close()
  return number
}

/** Any other Linux. */
function fromProc(): number {
  try {
    const { readlinkSync } = process.getBuiltinModule("node:fs")
    return Number(/\d+$/.exec(readlinkSync("/proc/thread-self"))?.[0] ?? 0)
  } catch {
    return 0
  }
}
