import { isAbsolute } from "node:path"

/**
 * Where a function of the library was called from.
 *
 * Facts of Bun 1.4.5, each one held by a test:
 * - Line and column count from 1, columns in UTF-16 units, and both belong to the TypeScript source.
 * - The position is that of the callee's last name: `fn` in `fn(…)`, in `lib.fn(…)` and in `(0, lib.fn)(…)`; the string
 *   in `lib["fn"](…)`; `call` in `fn.call(…)`.
 * - Strict code has proper tail calls: in `function make() { return fn(…) }` the frame of `make` is gone, and the
 *   first frame is the caller of `make`. Static fields of classes are reported at the class, other fields at the `new`.
 *   So a call site is a hint, not a proof.
 */
export interface CallSite {
  /** Absolute path. */
  readonly file: string
  /** From 1. */
  readonly line: number
  /** From 1, in UTF-16 units. */
  readonly column: number
}

/** The first frame above the function `above` that has a file, or undefined where there is none. Never throws. */
export function callSite(above: (...args: never[]) => unknown): CallSite | undefined {
  try {
    return firstInFile(capture(above))
  } catch {
    // Hardened programs freeze Error; without a call site, messages are merely less precise.
    return undefined
  }
}

// Frames that may stand between the library and a file: `Array.prototype.map`, `Reflect.apply` and the like.
const FRAMES_MAX = 8

/** The stack as objects: the text would be ambiguous for paths with parentheses, and programs may reformat it. */
function capture(above: (...args: never[]) => unknown): readonly NodeJS.CallSite[] {
  const { stackTraceLimit } = Error
  // oxlint-disable-next-line typescript/unbound-method -- it is put back, not called
  const { prepareStackTrace } = Error
  let frames: readonly NodeJS.CallSite[] = []
  try {
    Error.stackTraceLimit = FRAMES_MAX
    Error.prepareStackTrace = (_error, sites) => {
      frames = sites
      return ""
    }
    const holder: { stack?: string } = {}
    Error.captureStackTrace(holder, above)
    // Reading it is what calls prepareStackTrace.
    void holder.stack
  } finally {
    Error.stackTraceLimit = stackTraceLimit
    // The types of Node say that it is always there.
    if (prepareStackTrace === undefined) Reflect.deleteProperty(Error, "prepareStackTrace")
    else Error.prepareStackTrace = prepareStackTrace
  }
  return frames
}

function firstInFile(frames: readonly NodeJS.CallSite[]): CallSite | undefined {
  for (const frame of frames) {
    const file = frame.getFileName()
    const line = frame.getLineNumber()
    const column = frame.getColumnNumber()
    // Text given to eval or new Function has a URL, and lines of its own.
    if (frame.isEval() || file?.startsWith("file:") === true) return undefined
    // Native functions have no file, and a constructor that nobody wrote is in one named "unknown".
    if (typeof file !== "string" || !isAbsolute(file)) continue
    if (line === null || column === null) return undefined
    return { file, line, column }
  }
  return undefined
}
