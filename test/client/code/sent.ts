import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type CallSite, callSite } from "../../../client/code/call-site.ts"
import type { AnyFunction } from "../../../client/code/kind.ts"

/** A function as `fn` of the library sees it: the value, and where `fn` was called. */
export interface Sent<F extends AnyFunction = AnyFunction> {
  readonly f: F
  readonly site: CallSite | undefined
}

/** Stands for the library's `fn` in fixtures. */
export function fn<F extends AnyFunction>(f: F, _options?: unknown): Sent<F> {
  const site = callSite(fn)
  return { f, site }
}

/** A function that is sent, and arguments to compare what it does here and there. */
export interface Case {
  readonly sent: Sent
  readonly args: readonly unknown[]
}

export function given(sent: Sent, ...args: unknown[]): Case {
  return { sent, args }
}

/** A function written in text, which Bun does not transpile: comments and oddities stay. */
export function evaluated(expression: string): AnyFunction {
  // oxlint-disable-next-line no-eval
  const f: AnyFunction = (0, eval)(`(${expression}\n)`)
  return f
}

/** A folder for programs that a test writes; removed at the end. */
export async function programFolder(): Promise<ProgramFolder> {
  const path = await mkdtemp(join(tmpdir(), "bunhouse-code-"))
  return {
    path,
    async load(name, text, beside = {}) {
      for (const [other, itsText] of Object.entries(beside)) {
        await Bun.write(join(path, other), itsText)
      }
      const file = join(path, name)
      await Bun.write(file, text)
      const exports: Record<string, Sent> = await import(file)
      return exports
    },
    async [Symbol.asyncDispose]() {
      await rm(path, { recursive: true, force: true })
    },
  }
}

export interface ProgramFolder extends AsyncDisposable {
  readonly path: string
  /** Writes a module, and other files `beside` it, and imports it. `fn` is imported from `SENT`. */
  load(
    name: string,
    text: string,
    beside?: Readonly<Record<string, string>>,
  ): Promise<Record<string, Sent>>
}

/** First line of such programs. */
export const IMPORT_FN = `import { fn } from ${JSON.stringify(import.meta.path)};`
