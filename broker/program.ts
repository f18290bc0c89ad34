import { killGroup } from "./kill-group.ts"

/**
 * Runs a program to its end, with a bound on its time and on the output that is kept.
 *
 * Invariants:
 * P1. It returns at most `timeoutMs` plus a moment later, even where the program ignores signals or has left
 *     children behind that hold its output open.
 * P2. The program and its children are in a process group of their own, which is killed when the time is up.
 */
export interface ProgramOptions {
  /** From the start of the program; then its group is killed. */
  readonly timeoutMs: number
  /** The program's whole environment. */
  readonly environment: Readonly<Record<string, string>>
  /** Working folder. */
  readonly folder: string
  /** Gets each line of output as it comes. */
  readonly onLine?: (line: string) => void
}

export interface ProgramEnd {
  readonly isSuccess: boolean
  /** How it ended and what it said last, for messages. */
  readonly reason: string
  /** Both outputs, the first 64 KiB. */
  readonly output: string
}

/** Throws what the system says when the program cannot be started. */
export async function runProgram(
  command: readonly string[],
  options: ProgramOptions,
): Promise<ProgramEnd> {
  const { timeoutMs, environment, folder, onLine } = options
  const child = Bun.spawn([...command], {
    cwd: folder,
    env: { ...environment },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
  })
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    killGroup(child.pid)
  }, timeoutMs)
  const readers = [child.stdout.getReader(), child.stderr.getReader()]
  const output = new Output(onLine)
  const reading = Promise.all(readers.map((reader) => output.collect(reader)))
  await child.exited
  clearTimeout(timer)
  await Promise.race([reading, Bun.sleep(OUTPUT_GRACE_MS)])
  for (const reader of readers) void reader.cancel().catch(() => {}) // P1: nobody reads on; a failure changes nothing.
  const how = isLate ? `no end within ${timeoutMs} ms` : ending(child)
  return {
    isSuccess: child.exitCode === 0 && !isLate,
    reason: [how, ...output.lastLines(3)].join("; "),
    output: output.text,
  }
}

/** How long output may still come after the end of the program itself. */
const OUTPUT_GRACE_MS = 200
const OUTPUT_LENGTH_MAX = 64 * 1024

interface Reader {
  read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>
}

class Output {
  text = ""
  readonly #onLine: ((line: string) => void) | undefined

  constructor(onLine: ((line: string) => void) | undefined) {
    this.#onLine = onLine
  }

  async collect(reader: Reader): Promise<void> {
    const decoder = new TextDecoder()
    let line = ""
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      const text = decoder.decode(value, { stream: true })
      if (this.text.length < OUTPUT_LENGTH_MAX) this.text += text
      const lines = `${line}${text}`.split("\n")
      line = lines.pop()?.slice(0, OUTPUT_LENGTH_MAX) ?? ""
      for (const whole of lines) this.#onLine?.(whole)
    }
    if (line !== "") this.#onLine?.(line)
  }

  lastLines(count: number): string[] {
    return this.text
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "")
      .slice(-count)
  }
}

function ending(child: Bun.Subprocess): string {
  return child.signalCode === null ? `exit code ${child.exitCode}` : String(child.signalCode)
}
