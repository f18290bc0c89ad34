import { existsSync } from "node:fs"
import { temporaryFolder } from "./folder.ts"

/** Paths at which functions leave marks, so that a test knows whether they ran: `using marks = startMarks()`. */
export interface Marks extends Disposable {
  /** A path that nothing has used before. */
  next(): string
}

export function startMarks(): Marks {
  const folder = temporaryFolder()
  let count = 0
  return {
    next: () => folder.join(`mark-${++count}`),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  }
}

export function isMarked(path: string): boolean {
  return existsSync(path)
}
