import type { Needs } from "./needs.ts"
import { type Node, isFunction, walk, withoutTypes } from "./parse.ts"
import type { SourceFile } from "./source-file.ts"

/**
 * What a file does at its top with things that travel, after they were made: `table.set(…)`, `resize.limit = 3`,
 * `Object.assign(config, …)`. Such statements stay behind, so that the thing is another one where it arrives.
 */
export interface LeftBehind {
  readonly name: string
  /** Offset of the statement. */
  readonly start: number
}

/** The first one for each thing. */
export function leftBehind(needs: Needs, source: SourceFile): readonly LeftBehind[] {
  const found = new Map<string, LeftBehind>()
  const add = (thing: Node | undefined, start: number): void => {
    const root = rootOf(thing)
    if (root?.type !== "Identifier" || found.has(root.name)) return
    const declaration = source.scopes.declarationOf(root.start)
    const isKept = declaration?.nodes.some((node) => needs.declarations.has(node)) === true
    if (isKept) found.set(root.name, { name: root.name, start })
  }
  for (const statement of source.program.body) {
    // What makes something else of it hardly changes it: `const rows = db.query(…)`.
    if (/^(?:Import|Export|Variable)/.test(statement.type)) continue
    walk(statement, (node) => {
      if (isFunction(node) || node.type === "ClassBody") return false
      for (const thing of changedBy(node)) add(thing, node.start)
      return true
    })
  }
  return [...found.values()]
}

/** The things of which a part is changed, or a method called. */
function changedBy(node: Node): readonly (Node | undefined)[] {
  switch (node.type) {
    case "AssignmentExpression":
      return node.left.type === "MemberExpression" ? [node.left] : []
    case "UpdateExpression":
      return [node.argument]
    case "UnaryExpression":
      return node.operator === "delete" ? [node.argument] : []
    case "CallExpression": {
      const callee = withoutTypes(node.callee)
      if (callee.type !== "MemberExpression") return []
      const object = rootOf(callee)
      const isOfObject = object?.type === "Identifier" && OBJECT_TOOLS.has(object.name)
      return [isOfObject ? node.arguments[0] : callee.object]
    }
    default:
      return []
  }
}

/** They change what they are given. */
const OBJECT_TOOLS: ReadonlySet<string> = new Set(["Object", "Reflect"])

/** `a` of `a.b.c`. */
function rootOf(node: Node | undefined): Node | undefined {
  let inner = node && withoutTypes(node)
  while (inner?.type === "MemberExpression") inner = withoutTypes(inner.object)
  return inner
}
