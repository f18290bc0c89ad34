import { checkName } from "../../protocol/names.ts"
import { type AnyClass, type AnyFunction, isClass, ownName, refusal, textOf } from "./kind.ts"
import { shapeOf } from "./shape.ts"

/**
 * A function value as the text of an ES module, and the name that it goes by.
 *
 * Invariants:
 * C1. No name is ever part of the code: names stand in string literals, whatever characters they are made of.
 * C2. The default export of the module has the `name` of the function, and a function that calls itself by its own
 *     name still does.
 * C3. The same function gives the same text in every run, because versions are told apart by it.
 */

/**
 * The text of a module whose default export is the function. Says nothing of what the function uses from outside of
 * itself: `checkSelfContained` does, and has to pass before the text is run. Throws FUNCTION_NOT_SENDABLE.
 *
 * `prelude` is code that stands before it.
 */
export function moduleOf(value: AnyFunction | AnyClass, prelude = ""): string {
  if (isClass(value)) return `${prelude}export default (${textOf(value)}\n)\n`
  const { form, code, parameters, isAsync, isGenerator } = shapeOf(value)
  const before = prelude + (code.includes("__name(") ? NAME_HELPER : "")
  // The line end keeps a comment at the end of the text apart.
  if (form === "named") return `${before}export default (${code}\n)\n`
  // A property gives its name to a function without one; computed, so that `__proto__` is a name like any other (C1).
  const key = `[${JSON.stringify(ownName(value))}]`
  const start = `${isAsync ? "async " : ""}${isGenerator ? "*" : ""}`
  const property = form === "method" ? `${start}${key}${code.slice(parameters)}` : `${key}: ${code}`
  return `${before}export default ({ ${property}\n})${key}\n`
}

/** The name that a function is sent under: the given one, else its own. Throws FUNCTION_NOT_SENDABLE without one. */
export function nameFor(f: AnyFunction | AnyClass, given?: string): string {
  const name = given ?? ownName(f)
  if (given === undefined && name === "") {
    throw refusal(f, NEEDS_NAME)
  }
  checkName("function", name)
  return name
}

// Bun writes `fn((x) => x)` for `const double = (x) => x; fn(double)` inside of a function or a block.
const NEEDS_NAME =
  'it needs one to be called by, fn(f, { name: "resize" }); Bun takes the name away from a constant that is used only once'

// esbuild wraps functions in calls of this helper to keep their names when it minifies, also inside of functions.
const NAME_HELPER = `const __name = (f, name) => Object.defineProperty(f, "name", { value: name, configurable: true })\n`
