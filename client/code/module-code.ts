import { bundle } from "./bundle.ts"
import type { Code, CodeOptions } from "./code-of.ts"
import { mapped } from "./source-map.ts"
import { changeNotices, loadNotices, refuseProblems } from "./travel.ts"

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
  const made = await bundle({
    path,
    made: new Map(),
    external: options.external ?? [],
  })
  refuseProblems(`the module ${path}`, made)
  return {
    code: mapped(made.code, made.map),
    notices: [...loadNotices(path, made), ...changeNotices(made)],
    exports: made.exports,
  }
}
