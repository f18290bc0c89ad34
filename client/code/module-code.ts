import { BunhouseError } from "../../protocol/errors.ts"
import type { Code, CodeOptions } from "./code-of.ts"

export interface ModuleCode extends Code {
  /** Names of what the module exports. */
  readonly exports: readonly string[]
}

/**
 * A whole module as the text of one ES module with the same exports, with all that it imports.
 *
 * `url` is an absolute path or a file URL (`import.meta.resolve("./jobs.ts")`). Rejects with FUNCTION_NOT_SENDABLE for
 * what cannot travel.
 */
export async function moduleCode(
  url: string | URL,
  options: Omit<CodeOptions, "with"> = {},
): Promise<ModuleCode> {
  const text = String(url)
  const path = text.startsWith("file:") ? Bun.fileURLToPath(text) : text
  const built = await Bun.build({
    entrypoints: [path],
    target: "bun",
    format: "esm",
    external: ["bunhouse", ...(options.external ?? [])],
    metafile: true,
    throw: false,
  })
  const [output] = built.outputs
  if (!built.success || output === undefined) {
    throw new BunhouseError("FUNCTION_NOT_SENDABLE", `${path} cannot be sent`)
  }
  const [entry] = Object.values(built.metafile?.outputs ?? {})
  return { code: await output.text(), notices: [], exports: entry?.exports ?? [] }
}
