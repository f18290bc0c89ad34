import { type AnyClass, type AnyFunction, isClass, refusal, textOf } from "./kind.ts"
import {
  type ClassNode,
  type FunctionNode,
  type Node,
  type Parsed,
  isClassNode,
  isFunction,
  parse,
  walk,
} from "./parse.ts"
import { SEND_ARROW, type Shape, UNREADABLE, shapeOf } from "./shape.ts"

/**
 * The own text of a function, parsed. What Bun keeps of a function is JavaScript: types are gone, enums and constants
 * of primitive values are written out, comments are mostly dropped.
 *
 * Invariants:
 * X1. The text is one function and nothing else (`a) ; evil(` is not), and its shape is what the parser sees.
 * X2. An ES module may contain it: the parser found neither a syntax error nor what strict code forbids.
 * X3. It leans on no class: no `super` and no `#private` name of a class around it.
 */
export interface FunctionText extends Parsed, Shape {
  /** The function inside of `program`. */
  readonly node: FunctionNode
  /** Offset of `code` in `text`. */
  readonly start: number
}

/** The own text of a class, parsed. */
interface ClassText extends Parsed {
  readonly code: string
  readonly node: ClassNode
  readonly start: number
}

export type ValueText = FunctionText | ClassText

/** Throws FUNCTION_NOT_SENDABLE for what cannot be sent, with the mend. */
export async function readText(value: AnyFunction): Promise<FunctionText> {
  const shape = shapeOf(value)
  // A line end before the closing bracket: the text may end with a comment.
  const [open, close] = shape.form === "method" ? ["({", "\n})"] : ["(", "\n)"]
  const parsed = await parse(open + shape.code + close, { dialect: "js", strict: true })
  const node = functionAt(parsed, shape, open.length)
  if (node === undefined) throw refusal(value, `${UNREADABLE}${because(parsed)}`)
  const lean = leansOnClass(node)
  if (lean !== undefined) throw refusal(value, `it uses ${lean}, ${OF_ITS_CLASS}; ${SEND_ARROW}`)
  if (parsed.error === undefined) return { ...parsed, ...shape, node, start: open.length }
  throw refusal(value, `an ES module cannot contain it${because(parsed)}`)
}

/** The same, also for a class. */
export async function readValueText(value: AnyFunction | AnyClass): Promise<ValueText> {
  return isClass(value) ? await readClassText(value) : await readText(value)
}

async function readClassText(value: AnyClass): Promise<ClassText> {
  const code = textOf(value)
  const parsed = await parse(`(${code}\n)`, { dialect: "js", strict: true })
  const [statement, ...more] = parsed.program.body
  const node = statement?.type === "ExpressionStatement" ? statement.expression : undefined
  if (node === undefined || !isClassNode(node) || more.length > 0 || parsed.error !== undefined) {
    throw refusal(value, `${UNREADABLE}${because(parsed)}`)
  }
  return { ...parsed, code, node, start: 1 }
}

const OF_ITS_CLASS = "which exists only in its class"

function because({ error }: Parsed): string {
  return error === undefined ? "" : ` (${error})`
}

/** The function that the text is (X1). */
function functionAt({ program }: Parsed, shape: Shape, start: number): FunctionNode | undefined {
  const [statement, ...more] = program.body
  if (statement?.type !== "ExpressionStatement" || more.length > 0) return undefined
  const { expression } = statement
  if (shape.form !== "method") return isFunction(expression) ? expression : undefined
  if (expression.type !== "ObjectExpression" || expression.properties.length !== 1) return undefined
  const [property] = expression.properties
  if (property?.type !== "Property" || !property.method) return undefined
  const { value } = property
  return isFunction(value) && value.start === start + shape.parameters ? value : undefined
}

/** Classes inside of the function may use their own `super` and `#names` (X3). */
function leansOnClass(node: FunctionNode): string | undefined {
  let lean: string | undefined
  const search = (root: Node, own: ReadonlySet<string>, hasSuper: boolean): void => {
    walk(root, (inner) => {
      if (inner !== root && inner.type === "ClassBody") {
        search(inner, new Set([...own, ...privateNames(inner)]), true)
        return false
      }
      if (inner !== root && inner.type === "Property" && (inner.method || inner.kind !== "init")) {
        search(inner, own, true)
        return false
      }
      if (inner.type === "Super" && !hasSuper) lean ??= "`super`"
      if (inner.type === "PrivateIdentifier" && !own.has(inner.name)) lean ??= `#${inner.name}`
      return true
    })
  }
  search(node, new Set(), false)
  return lean
}

function privateNames(body: Node): readonly string[] {
  if (body.type !== "ClassBody") return []
  const names: string[] = []
  for (const member of body.body) {
    if ("key" in member && member.key.type === "PrivateIdentifier") names.push(member.key.name)
  }
  return names
}
