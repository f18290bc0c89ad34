import type { CallSite } from "./call-site.ts"
import { type Capture, explain } from "./explain.ts"
import { isGlobal } from "./globals.ts"
import { type AnyFunction, kindOf, refusal } from "./kind.ts"
import { locate } from "./locate.ts"
import { isTranspilerName, keyOf, outsideOf } from "./outside.ts"
import { scopesOf } from "./scope.ts"
import { readText } from "./text.ts"

/**
 * Refuses a function that needs more than its own code, and says what, where and how to mend it.
 *
 * The function's own text decides what it uses: that is the code which travels. Its source file, where it can be
 * found, says where each use stands and what the name means there. The file decides one thing more: a name that is
 * both a global and declared in the file (`import { setTimeout } from "node:timers/promises"`) means the file's, and
 * would change its meaning silently. Without the file such a name passes for the global.
 *
 * Direct `eval` is allowed, and what it reads cannot be seen: it fails when it runs, with JavaScript's ReferenceError.
 *
 * `site` is where `fn(f)` was called. Throws FUNCTION_NOT_SENDABLE.
 */
export async function checkSelfContained(
  f: AnyFunction,
  site: CallSite | undefined,
): Promise<void> {
  const text = await readText(f)
  const uses = outsideOf(text.node, await scopesOf(text))
  if (uses.length === 0) return
  const located = await locate(f, site)
  const inFile = new Map(
    located && outsideOf(located.node, located.source.scopes).map((use) => [keyOf(use), use]),
  )
  const captures = uses
    .map((use) => ({ use, inFile: inFile.get(keyOf(use)) }))
    .filter((capture, _, all) => isCaptured(capture, all))
  if (captures.length === 0) return
  const lines = explain(captures, { text, located, kind: kindOf(f) })
  throw refusal(f, `only its own code travels, but it uses\n${list(lines)}`)
}

function isCaptured({ use, inFile }: Capture, all: readonly Capture[]): boolean {
  // Bun hands `this` to the JSX runtime; the refusal of JSX says it all.
  if (use.kind === "this")
    return inFile !== undefined || !all.some((other) => isTranspilerName(other.use.name))
  if (use.kind !== "name" || inFile?.declaration !== undefined) return true
  return !use.onlyTypeof && !isGlobal(use.name) && use.name !== OF_EVERY_MODULE
}

// Not a global, but Bun gives every module its own; what it loads is looked at elsewhere.
const OF_EVERY_MODULE = "require"

// Minified bundles may share hundreds of names; nobody mends them one by one.
const LINES_MAX = 40

function list(lines: readonly string[]): string {
  const shown = lines.slice(0, LINES_MAX).map((line) => `  ${line}`)
  const hidden = lines.length - shown.length
  return [...shown, ...(hidden > 0 ? [`  and ${hidden} more`] : [])].join("\n")
}
