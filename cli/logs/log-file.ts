import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs"

/**
 * A log that somebody else appends to, read by lines. It may be large, be cut to nothing, or be replaced by another
 * file, and its last line may not be complete yet.
 */
export class LogFile implements Disposable {
  readonly #path: string
  readonly #descriptor: number
  readonly #inode: number
  #offset = 0
  /** Behind the last line break that was read. */
  #rest: Buffer = Buffer.alloc(0)

  private constructor(path: string, descriptor: number) {
    this.#path = path
    this.#descriptor = descriptor
    this.#inode = fstatSync(descriptor).ino
  }

  /** Undefined where no file can be read. */
  static open(path: string): LogFile | undefined {
    try {
      return new LogFile(path, openSync(path, "r"))
    } catch {
      return undefined
    }
  }

  /** Moves to the last `count` lines, but not before `from`, nor further than LOOK_BACK_BYTES_MAX from the end. */
  seekLast(count: number, from = 0): void {
    const end = fstatSync(this.#descriptor).size
    const first = Math.max(from, end - LOOK_BACK_BYTES_MAX)
    let start = Math.max(first, end)
    let missing = count
    while (start > first && missing > 0) {
      const isTail = start === end
      const begin = Math.max(first, start - CHUNK_BYTES)
      const bytes = this.#read(begin, start)
      start = begin
      // The line break at the very end ends the last line and begins none.
      let index = isTail ? bytes.length - 1 : bytes.length
      while (index > 0 && missing > 0) {
        index = bytes.lastIndexOf(LINE_BREAK, index - 1)
        if (index >= 0 && --missing === 0) start = begin + index + 1
      }
    }
    this.#offset = start
  }

  /** Complete lines since the last time, not all at once where there are many; none at the end of the file. */
  nextLines(): readonly string[] {
    if (fstatSync(this.#descriptor).size < this.#offset) this.#beginAnew()
    const bytes = this.#read(this.#offset, this.#offset + CHUNK_BYTES)
    this.#offset += bytes.length
    const text = Buffer.concat([this.#rest, bytes])
    const lineEnd = text.lastIndexOf(LINE_BREAK) + 1
    // A line without an end is shown in pieces rather than held for ever.
    const end = lineEnd === 0 && text.length >= CHUNK_BYTES ? text.length : lineEnd
    this.#rest = text.subarray(end)
    return end === 0 ? [] : text.subarray(0, end).toString().replace(/\n$/, "").split("\n")
  }

  /** What stands behind the last line break. */
  get incompleteLine(): string {
    return this.#rest.toString()
  }

  /** Whether the path leads to another file by now. */
  get isReplaced(): boolean {
    try {
      return statSync(this.#path).ino !== this.#inode
    } catch {
      return false // Taken away: more may still be written to it, until there is another.
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor)
  }

  #beginAnew(): void {
    this.#offset = 0
    this.#rest = Buffer.alloc(0)
  }

  #read(start: number, end: number): Buffer {
    const bytes = Buffer.alloc(end - start)
    return bytes.subarray(0, readSync(this.#descriptor, bytes, 0, bytes.length, start))
  }
}

/** All of the last `count` lines, the incomplete one included. A file that is not there has none. */
export function lastLines(path: string, count: number, from = 0): string[] {
  using file = LogFile.open(path)
  if (file === undefined) return []
  file.seekLast(count, from)
  const lines: string[] = []
  for (let more = file.nextLines(); more.length > 0; more = file.nextLines()) lines.push(...more)
  if (file.incompleteLine !== "") lines.push(file.incompleteLine)
  return lines.slice(Math.max(0, lines.length - count))
}

const LINE_BREAK = 0x0a
const CHUNK_BYTES = 64 * 1024
const LOOK_BACK_BYTES_MAX = 64 * 1024 * 1024
