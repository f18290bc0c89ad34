import type {
  ArrowFunctionExpression,
  Class,
  Function as PlainFunction,
  Node,
  Program,
} from "oxc-parser"
import { BunhouseError } from "../../protocol/errors.ts"

/**
 * JavaScript and TypeScript as syntax trees (ESTree, as oxc-parser makes them), and walks over them.
 * The parser is loaded with the first text that is parsed, so that importing the library stays cheap.
 */

export type { CallExpression, ImportDeclaration, Node, Program } from "oxc-parser"

/** A function in any form but a class: declaration, expression, arrow function, or the value of a method. */
export type FunctionNode = ArrowFunctionExpression | PlainFunction

export type ClassNode = Class

/** What can be sent. */
export type SendableNode = FunctionNode | ClassNode

export interface Parsed {
  readonly text: string
  readonly program: Program
  /** What the parser complained of first. Some mistakes leave a usable program, others an empty one. */
  readonly error: string | undefined
}

export interface ParseOptions {
  readonly dialect: "js" | "jsx" | "ts" | "tsx"
  /** Also finds what no module may contain although its syntax is right: `with`, `await` as a name. Default false. */
  readonly strict?: boolean
}

/** Parses `text` as an ES module. Parentheses leave no node. */
export async function parse(text: string, options: ParseOptions): Promise<Parsed> {
  const { parseSync } = await parser()
  const { program, errors } = parseSync("module", text, {
    lang: options.dialect,
    sourceType: "module",
    // The scope manager wants the TypeScript form, and ranges, for JavaScript too.
    astType: "ts",
    range: true,
    preserveParens: false,
    showSemanticErrors: options.strict ?? false,
  })
  return { text, program, error: errors[0]?.message }
}

/** Its native part is not found by the copy of it that a bundle of a program has. */
async function parser(): Promise<typeof import("oxc-parser")> {
  try {
    return await import("oxc-parser")
  } catch (cause) {
    throw new BunhouseError("FUNCTION_NOT_SENDABLE", `oxc-parser ${NOT_LOADED}`, {
      cause: String(cause),
    })
  }
}

const NOT_LOADED =
  "cannot be loaded, which reads what is sent; a program that is bundled leaves the library out (bun build --external bunhouse) and has it installed where it runs"

/** What stands in the text of an ES module beside its syntax tree, which is not made. */
export async function marksIn(text: string): Promise<{
  readonly comments: readonly {
    readonly value: string
    readonly start: number
    readonly end: number
  }[]
  /** Uses of `import.meta`. */
  readonly metas: readonly { readonly start: number; readonly end: number }[]
}> {
  const { parseSync } = await parser()
  const { comments, module } = parseSync("module.mjs", text, { sourceType: "module" })
  return { comments, metas: module.importMetas }
}

/** Visits `node` and all below it in the order of the text. `visit` returns false to leave out what is below. */
export function walk(node: Node, visit: (node: Node) => boolean): void {
  if (!visit(node)) return
  for (const value of Object.values(node)) {
    if (Array.isArray(value)) {
      for (const item of value) if (isNode(item)) walk(item, visit)
    } else if (isNode(value)) walk(value, visit)
  }
}

export function isFunction(node: Node): node is FunctionNode {
  return (
    node.type === "ArrowFunctionExpression" ||
    node.type === "FunctionExpression" ||
    node.type === "FunctionDeclaration"
  )
}

export function isClassNode(node: Node): node is ClassNode {
  return node.type === "ClassDeclaration" || node.type === "ClassExpression"
}

/** The expression without what TypeScript wraps around it: `as`, `satisfies`, `!`, `<T>x`. */
export function withoutTypes(node: Node): Node {
  let inner: Node = node
  while (
    inner.type === "TSAsExpression" ||
    inner.type === "TSSatisfiesExpression" ||
    inner.type === "TSNonNullExpression" ||
    inner.type === "TSTypeAssertion" ||
    inner.type === "TSInstantiationExpression"
  ) {
    inner = inner.expression
  }
  return inner
}

/** The name of a member of a class or an object literal, as far as it stands in the text. */
export function memberName(member: {
  readonly key: Node
  readonly computed: boolean
}): string | undefined {
  const { key, computed } = member
  if (key.type === "Identifier" && !computed) return key.name
  return key.type === "Literal" && typeof key.value !== "object" ? String(key.value) : undefined
}

function isNode(value: unknown): value is Node {
  return (
    typeof value === "object" && value !== null && "type" in value && typeof value.type === "string"
  )
}
