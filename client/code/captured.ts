import { explain } from "./explain.ts"
import { isGlobal } from "./globals.ts"
import { type AnyClass, type AnyFunction, refusal } from "./kind.ts"
import { type Outside, isOfProject, isTranspilerName, outsideOf } from "./outside.ts"
import { scopesOf } from "./scope.ts"
import type { ValueText } from "./text.ts"

/**
 * Refuses a function that needs more than its own code and the values that are carried along, and says what, where and
 * how to mend it. For functions whose source file is not known: only their own text tells what they use.
 *
 * Direct `eval` is allowed, and what it reads cannot be seen: it fails when it runs, with JavaScript's ReferenceError.
 *
 * Resolves with the carried names that are used. Throws FUNCTION_NOT_SENDABLE.
 */
export async function checkSelfContained(
  value: AnyFunction | AnyClass,
  text: ValueText,
  given: ReadonlySet<string>,
): Promise<ReadonlySet<string>> {
  const uses = outsideOf(text.node, await scopesOf(text))
  const used = new Set(uses.filter(isNamed).map(({ name }) => name)).intersection(given)
  const captures = uses.filter((use, _, all) => isCaptured(use, given, all))
  if (captures.length === 0) return used
  const around = { text: text.text, file: undefined, node: text.node, given }
  throw refusal(value, `${WHY}, but it uses\n${explain(captures, around)}`)
}

const WHY =
  "the file that it was written in was not found, was changed since it was loaded, or cannot be told from another with the same text, so that only its own code travels"

function isNamed({ kind }: Outside): boolean {
  return kind === "name"
}

function isCaptured(use: Outside, given: ReadonlySet<string>, all: readonly Outside[]): boolean {
  switch (use.kind) {
    case "meta":
      return true
    case "module":
      return isOfProject(use.name)
    case "this":
      // Bun hands `this` to the JSX runtime; the refusal of JSX says it all.
      return !all.some((other) => isTranspilerName(other.name))
    case "name":
      if (given.has(use.name)) return use.written
      return !use.onlyTypeof && !isGlobal(use.name) && use.name !== OF_EVERY_MODULE
    default:
      return use.kind satisfies never
  }
}

// Not a global, but Bun gives every module its own; what it loads is looked at elsewhere.
const OF_EVERY_MODULE = "require"
