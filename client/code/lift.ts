import { contains } from "./needs.ts"
import { rangeOf } from "./outside.ts"
import {
  type Node,
  type SendableNode,
  isClassNode,
  memberName,
  walk,
  withoutTypes,
} from "./parse.ts"

/**
 * How a function or a class becomes a value at the top of its file, when all around it is left out.
 *
 * An expression is assigned where it stands, with `$=` before it. A method becomes the only member of an object literal. So every character of the function keeps its line and, where there is room, its column.
 */
export interface Lift {
  /** From here to `end` the text is kept; a method begins before its function. */
  readonly start: number
  readonly end: number
  readonly before: string
  readonly after: string
}

/** `name` is one that the file does not use. */
export function liftOf(root: SendableNode, program: Node, name: string): Lift {
  const { end } = root
  const method = methodOf(root, program)
  if (method === undefined) {
    return { start: rangeOf(root).start, end, before: `${name}=`, after: "" }
  }
  const key = memberName(method)
  const words = isClassNode(root) ? "" : `${root.async ? "async " : ""}${root.generator ? "*" : ""}`
  if (key !== undefined) {
    const after = `}[${JSON.stringify(key)}]`
    return { start: method.key.start, end, before: `${name}={${words}`, after }
  }
  // What a computed name is made of stays behind: the method is named when it is exported.
  return { start: root.start, end, before: `${name}={${words}method`, after: "}.method" }
}

interface Method {
  readonly key: Node
  readonly computed: boolean
}

function methodOf(root: SendableNode, program: Node): Method | undefined {
  let found: Method | undefined
  walk(program, (node) => {
    if (node.type === "Property" && node.method && node.value === root) found = node
    if (node.type === "MethodDefinition" && node.value === root) found = node
    return found === undefined && contains(node, root)
  })
  return found
}

/**
 * How the value is reached from a declaration that is kept and holds it: `jobs.resize` of `const jobs = { resize() {} }`.
 * Undefined where the way leads through anything but object literals and methods of classes.
 */
export function pathTo(root: SendableNode, holder: Node): string | undefined {
  if (holder.type === "VariableDeclarator") {
    if (holder.id.type !== "Identifier" || holder.init === null) return undefined
    const path = pathWithin(holder.init, root)
    return path === undefined ? undefined : holder.id.name + path
  }
  const name = isClassNode(holder) ? holder.id?.name : undefined
  const path = name === undefined ? undefined : pathWithin(holder, root)
  return path === undefined ? undefined : `${name}${path}`
}

function pathWithin(node: Node, root: SendableNode): string | undefined {
  const inner = withoutTypes(node)
  if (inner === root) return ""
  if (inner.type === "ObjectExpression") {
    const member = inner.properties.find((one) => contains(one, root))
    if (member?.type !== "Property" || member.kind !== "init") return undefined
    return joined(member, "", pathWithin(member.value, root))
  }
  if (!isClassNode(inner)) return undefined
  const member = inner.body.body.find((one) => contains(one, root))
  if (member?.type === "PropertyDefinition") {
    if (!member.static || member.value === null) return undefined
    return joined(member, "", pathWithin(member.value, root))
  }
  if (member?.type !== "MethodDefinition" || member.value !== root) return undefined
  return joined(member, member.static ? "" : ".prototype", "")
}

function joined(
  member: { readonly key: Node; readonly computed: boolean },
  before: string,
  after: string | undefined,
): string | undefined {
  const name = memberName(member)
  if (name === undefined || after === undefined) return undefined
  return `${before}[${JSON.stringify(name)}]${after}`
}
