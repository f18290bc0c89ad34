import { isGlobal } from "./globals.ts"
import { type Node, isFunction, walk, withoutTypes } from "./parse.ts"
import type { SourceFile } from "./source-file.ts"

/**
 * What travelling code does when an env loads it, before any call: connections that are opened, files that are read,
 * servers that are started. It is allowed, and told once, because it is easily overlooked.
 */

/** Offset of the first thing that is done when `declarations` of a file are evaluated. */
export function firstEffectOf(
  declarations: Iterable<Node>,
  source: SourceFile,
): number | undefined {
  const effects: number[] = []
  for (const node of declarations) {
    const initial = node.type === "VariableDeclarator" ? node.init : undefined
    const effect = initial && firstAction(initial, source)
    if (effect !== undefined && effect !== null) effects.push(effect)
  }
  return effects.length === 0 ? undefined : Math.min(...effects)
}

/** The same for a whole file, whose unused declarations stay behind: statements that only do something. */
export function firstEffectOfFile(source: SourceFile): number | undefined {
  for (const statement of source.program.body) {
    if (DECLARES.test(statement.type)) continue
    const effect = firstAction(statement, source)
    if (effect !== undefined) return effect
  }
  return undefined
}

const DECLARES = /^(?:Import|Export|TS|Variable|Function|Class)/

/** Functions that are only made do nothing yet. */
function firstAction(root: Node, source: SourceFile): number | undefined {
  let first: number | undefined
  walk(root, (node) => {
    if (first !== undefined) return false
    if (isFunction(node) && !isCalled.has(node)) return false
    if (node.type === "CallExpression" || node.type === "NewExpression") {
      const callee = withoutTypes(node.callee)
      if (isFunction(callee)) isCalled.add(callee)
      else if (!isHarmless(callee, source)) first = node.start
    } else if (ACTS.has(node.type) && !isCommonJsExport(node)) first = node.start
    return first === undefined
  })
  return first
}

// Functions that are called where they are written.
const isCalled = new WeakSet<Node>()

const ACTS: ReadonlySet<string> = new Set([
  "AwaitExpression",
  "AssignmentExpression",
  "UpdateExpression",
])

/** `module.exports = …`, `exports.x = …`. */
function isCommonJsExport(node: Node): boolean {
  if (node.type !== "AssignmentExpression") return false
  let target: Node = node.left
  while (target.type === "MemberExpression") target = target.object
  return target.type === "Identifier" && (target.name === "module" || target.name === "exports")
}

/** `new Map()`, `Object.freeze(…)`, `Symbol("x")`: what makes a value and touches nothing else. */
function isHarmless(callee: Node, source: SourceFile): boolean {
  let inner = callee
  while (inner.type === "MemberExpression") inner = withoutTypes(inner.object)
  if (inner.type === "Literal" || inner.type === "ArrayExpression") return true
  if (inner.type !== "Identifier" || source.scopes.declarationOf(inner.start) !== undefined) {
    return false
  }
  return inner.name === "require" || (isGlobal(inner.name) && !REACHES_OUT.has(inner.name))
}

const REACHES_OUT: ReadonlySet<string> = new Set(
  `Bun BroadcastChannel WebSocket Worker addEventListener alert console dispatchEvent eval fetch global globalThis
  postMessage process prompt queueMicrotask removeEventListener reportError self setImmediate setInterval
  setTimeout`.split(/\s+/),
)
