import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { type TemporaryFolder, temporaryFolder } from "./folder.ts"
import type { Stack } from "./stack.ts"

/** A program of a user, with the library as `bunhouse` and the stack's daemon as `here`. */
export interface Program extends Disposable {
  readonly folder: TemporaryFolder
  /** Starts it; it is killed when the program is disposed of. */
  start(variables?: Readonly<Record<string, string>>): Bun.Subprocess<"ignore", "pipe", "pipe">
  /** Runs it to its end, which it must reach by itself within `timeoutMs`. */
  run(variables?: Readonly<Record<string, string>>, timeoutMs?: number): Promise<ProgramEnd>
}

interface ProgramEnd {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
  readonly tookMs: number
}

/** `code` is TypeScript; `import … from "bunhouse"` is put in front of it with the names of `imports`. */
export function writeProgram(stack: Stack, code: string, imports = "fn, here"): Program {
  const folder = temporaryFolder()
  const path = folder.join("program.ts")
  writeFileSync(path, `import { ${imports} } from ${JSON.stringify(LIBRARY)}\n${code}\n`)
  const children: Bun.Subprocess[] = []
  const start: Program["start"] = (variables = {}) => {
    const child = Bun.spawn([process.execPath, path], {
      cwd: folder.path,
      env: {
        PATH: process.env["PATH"] ?? "",
        BUNHOUSE_QUIET: "1",
        BUNHOUSE_HOME: stack.home,
        BUNHOUSE_URL: stack.url,
        BUNHOUSE_TOKEN: stack.token,
        ...variables,
      },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    })
    children.push(child)
    return child
  }
  return {
    folder,
    start,
    async run(variables, timeoutMs = 5_000) {
      const startedAt = performance.now()
      const child = start(variables)
      const killer = setTimeout(() => child.kill("SIGKILL"), timeoutMs)
      const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()])
      const exitCode = await child.exited
      clearTimeout(killer)
      return { exitCode, stdout, stderr, tookMs: performance.now() - startedAt }
    },
    [Symbol.dispose]() {
      for (const child of children) child.kill("SIGKILL")
      folder[Symbol.dispose]()
    },
  }
}

const LIBRARY = join(import.meta.dir, "../../client/index.ts")
