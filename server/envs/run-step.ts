import { closeSync, writeSync } from "node:fs"
import { OUTPUT_TAIL_BYTES_MAX } from "../../protocol/limits.ts"
import { openLog } from "./env-log.ts"
import { killGroup } from "./kill-group.ts"

/**
 * Runs one command that prepares an env: an installation, a setup.
 *
 * Invariants:
 * W1. It ends: by itself, at its deadline, by its signal, or with the daemon, even when that is killed: a shell beside it
 *     waits for the end of a pipe that only the daemon holds, and then kills the group. (`bun --no-orphans install` heeds
 *     no such flag, and a setup may be any program.)
 * W2. When it has ended nothing of its process group is left, so that what it left running does not change the folder
 *     later.
 * W3. What it says is shown through `hide` only: in the log, and in the tail that errors quote.
 */
export interface StepOptions {
  readonly command: readonly string[]
  readonly cwd: string
  /** Environment of the command, complete. */
  readonly variables: Readonly<Record<string, string>>
  /** Its output is appended here. */
  readonly logFile: string
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** Takes secrets out of a line of output. */
  readonly hide: (line: string) => string
}

export interface StepEnd {
  /** Why it failed, in words: "exit code 1"; undefined when it succeeded. */
  readonly failure: string | undefined
  /** The last lines that it said. */
  readonly tail: string
}

/** Settles when the command has ended, however it ended. Rejects when it cannot be started. */
export async function runStep(options: StepOptions): Promise<StepEnd> {
  const { command, cwd, variables, timeoutMs, signal } = options
  if (signal.aborted) return { failure: STOPPED, tail: "" }
  const child = Bun.spawn(["/bin/sh", "-c", LIFELINE, "bunhouse-step", ...command], {
    cwd,
    env: { ...variables },
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  })
  let ended: string | undefined
  const end = (how: string) => {
    ended ??= how
    killGroup(child.pid)
  }
  const timer = setTimeout(() => end(`it did not end within ${timeoutMs} ms`), timeoutMs)
  const stopped = () => end(STOPPED)
  signal.addEventListener("abort", stopped)
  const output = new Output(options)
  const read = Promise.all([output.read(child.stdout), output.read(child.stderr)])
  try {
    await child.exited
    void child.stdin.end() // W2: the shell beside it kills what is left.
    // A process that left the group may hold the pipes open for ever.
    await Promise.race([read, Bun.sleep(LAST_WORDS_MS_MAX)])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener("abort", stopped)
    output.close()
  }
  const how = String(child.signalCode ?? `exit code ${child.exitCode}`)
  return { failure: ended ?? (child.exitCode === 0 ? undefined : how), tail: output.tail }
}

const STOPPED = "it was stopped"
const LAST_WORDS_MS_MAX = 500

// Descriptor 3 is the pipe, because a shell gives /dev/null to the stdin of what it starts in the background.
const LIFELINE = `
exec 3<&0 </dev/null
{ read -r _ <&3; kill -s KILL -- "-$$"; } >/dev/null 2>&1 &
exec 3<&-
exec "$@"
`

/** What the command says, line by line: to the log, and the end of it kept (W3). */
class Output {
  readonly #hide: (line: string) => string
  #log: number | undefined
  #tail = ""

  constructor({ hide, logFile }: StepOptions) {
    this.#hide = hide
    this.#log = openLog(logFile)
  }

  get tail(): string {
    return this.#tail.trim()
  }

  async read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder()
    let rest = ""
    for await (const chunk of stream) {
      rest += decoder.decode(chunk, { stream: true })
      const lineEnd = rest.lastIndexOf("\n")
      // A line without end is cut: nothing may grow without bound.
      const cut = rest.length > LINE_LENGTH_MAX ? rest.length : lineEnd + 1
      this.#say(rest.slice(0, cut))
      rest = rest.slice(cut)
    }
    this.#say(rest)
  }

  close(): void {
    if (this.#log !== undefined) closeSync(this.#log)
    this.#log = undefined
  }

  #say(text: string): void {
    if (text === "" || this.#log === undefined) return
    const shown = this.#hide(text)
    writeSync(this.#log, shown)
    this.#tail = `${this.#tail}${shown}`.slice(-OUTPUT_TAIL_BYTES_MAX)
  }
}

const LINE_LENGTH_MAX = 64 * 1024
