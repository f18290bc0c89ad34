import { isBuiltin } from "node:module"
import type { Needs } from "./needs.ts"
import { type ImportDeclaration, type Node, isFunction, walk, withoutTypes } from "./parse.ts"
import type { Declaration } from "./scope.ts"
import type { SourceFile } from "./source-file.ts"

/**
 * What a file does at its top with things that travel, after they were made: `table.set(…)`, `resize.limit = 3`,
 * `Object.assign(config, …)`. Such statements stay behind, so that the thing is another one where it arrives. So do those
 * that set up what is imported, `dayjs.extend(utc)`, `enableMapSet()`, and what is imported for nothing but what it does.
 */
export interface LeftBehind {
  readonly name: string
  /** Offset of the statement. */
  readonly start: number
}

/** The first one for each thing. */
export function leftBehind(needs: Needs, source: SourceFile): readonly LeftBehind[] {
  const found = new Map<string, LeftBehind>()
  const add = (thing: Node | undefined, start: number, isKept: IsKept): void => {
    const root = rootOf(thing)
    if (root?.type !== "Identifier" || found.has(root.name)) return
    const declaration = source.scopes.declarationOf(root.start)
    if (declaration !== undefined && isKept(declaration))
      found.set(root.name, { name: root.name, start })
  }
  const isMade: IsKept = ({ nodes }) => nodes.some((node) => needs.declarations.has(node))
  const modules = modulesOf(needs)
  const isImported: IsKept = ({ from }) => from !== undefined && modules.has(from)
  for (const statement of source.program.body) {
    if (statement.type === "ImportDeclaration" && isForItsEffect(statement) && modules.size > 0) {
      const {
        source: { raw },
        start,
      } = statement
      found.set(raw ?? "", { name: raw ?? "", start })
    }
    // What makes something else of it hardly changes it: `const rows = db.query(…)`.
    if (/^(?:Import|Export|Variable)/.test(statement.type)) continue
    for (const thing of setUpBy(statement)) add(thing, statement.start, isImported)
    walk(statement, (node) => {
      if (isFunction(node) || node.type === "ClassBody") return false
      for (const thing of changedBy(node)) add(thing, node.start, isMade)
      return true
    })
  }
  return [...found.values()]
}

type IsKept = (declaration: Declaration) => boolean

/** Modules that are imported along. Those of the runtime have nothing to set up, and neither has this library. */
function modulesOf({ imports }: Needs): ReadonlySet<string> {
  const modules = new Set<string>()
  for (const statement of imports.keys()) {
    if (statement.type === "ImportDeclaration") modules.add(statement.source.value)
  }
  return new Set([...modules].filter((name) => name !== "bunhouse" && !isBuiltin(name)))
}

/** `import "x"` */
function isForItsEffect({ specifiers, importKind }: ImportDeclaration): boolean {
  return specifiers.length === 0 && importKind !== "type"
}

/**
 * What a statement does nothing else but set up: `dayjs.extend(utc)`, `enableMapSet()`, `Settings.zone = "utc"`. A call deeper in
 * it, as in `console.log(chalk.red("x"))`, most often wants the result.
 */
function setUpBy(statement: Node): readonly (Node | undefined)[] {
  if (statement.type !== "ExpressionStatement") return []
  const { expression } = statement
  const inner = expression.type === "AwaitExpression" ? expression.argument : expression
  const isCallOfName = inner.type === "CallExpression" && inner.callee.type === "Identifier"
  return isCallOfName ? [inner.callee] : changedBy(inner)
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
