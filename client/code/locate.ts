import { functionOf } from "./argument.ts"
import type { CallSite } from "./call-site.ts"
import type { AnyFunction } from "./kind.ts"
import { offsetAt, positionAt } from "./lines.ts"
import { matching } from "./match.ts"
import {
  type CallExpression,
  type FunctionNode,
  type Node,
  isFunction,
  walk,
  withoutTypes,
} from "./parse.ts"
import { type SourceFile, readSourceFile } from "./source-file.ts"
import { type FunctionText, readText } from "./text.ts"

/**
 * Finds a function value in the source file that it was written in.
 *
 * Invariants:
 * F1. What is found was verified against the value's own text (match.ts). Where two functions would do, or none, the
 *     answer is undefined. So it is for functions of other files, of `eval` and of `bun -e`.
 * F2. Never throws: a file that cannot be read or parsed is one more reason for undefined.
 */
export interface Located {
  readonly file: string
  /** Where the function begins, from 1, as in a stack. */
  readonly line: number
  readonly column: number
  /** Offsets of the function in the text of the file. */
  readonly start: number
  readonly end: number
  /** The same function in the tree of the file. */
  readonly node: FunctionNode
  readonly source: SourceFile
}

/** `site` is where `fn(f)` was called. */
export async function locate(
  f: AnyFunction,
  site: CallSite | undefined,
): Promise<Located | undefined> {
  if (site === undefined) return undefined
  try {
    return await find(await readText(f), site)
  } catch {
    return undefined
  }
}

async function find(value: FunctionText, site: CallSite): Promise<Located | undefined> {
  const source = await readSourceFile(site.file)
  if (source === undefined) return undefined
  const offset = offsetAt(source.text, site)
  const call = callsIn(source.program).find(({ callee }) => anchorOf(callee) === offset)
  const node = argumentOf(call, source, value) ?? behind(call, source, value)
  if (node === undefined) return undefined
  const { start, end } = node
  return { file: site.file, ...positionAt(source.text, start), start, end, node, source }
}

/** The usual case: the call site is the call of `fn`, and its first argument is the function. */
function argumentOf(
  call: CallExpression | undefined,
  source: SourceFile,
  value: FunctionText,
): FunctionNode | undefined {
  const argument = functionOf(call?.arguments[0], source.scopes)
  return argument === undefined ? undefined : matching(source, [argument], value)[0]
}

/**
 * The call of `fn` may stand behind the call site (call-site.ts): in the function that is called there or, where the
 * site points at no name that is called, in a class or in a function that is called where it is written. Then it has
 * to be the only call there whose first argument has the value's text (F1).
 */
function behind(
  call: CallExpression | undefined,
  source: SourceFile,
  value: FunctionText,
): FunctionNode | undefined {
  const called = functionOf(call?.callee, source.scopes)
  if (call !== undefined && called === undefined) return undefined
  const candidates = new Set<FunctionNode>()
  for (const root of called === undefined ? runInPlace(source.program) : [called]) {
    for (const { arguments: given } of callsIn(root)) {
      const argument = functionOf(given[0], source.scopes)
      if (argument !== undefined) candidates.add(argument)
    }
  }
  const [first, ...more] = matching(source, [...candidates], value)
  return more.length === 0 ? first : undefined
}

function callsIn(root: Node): readonly CallExpression[] {
  const calls: CallExpression[] = []
  walk(root, (node) => {
    if (node.type === "CallExpression") calls.push(node)
    return true
  })
  return calls
}

/** Classes, and functions that are called where they are written. */
function runInPlace(root: Node): readonly Node[] {
  const found: Node[] = []
  walk(root, (node) => {
    if (node.type === "ClassBody") found.push(node)
    else if (node.type === "CallExpression" && isFunction(node.callee)) found.push(node.callee)
    return true
  })
  return found
}

/** The offset that Bun's stacks give for a call of this callee. */
function anchorOf(callee: Node): number | undefined {
  const inner = withoutTypes(callee)
  switch (inner.type) {
    case "Identifier":
      return inner.start
    case "MemberExpression":
      return inner.property.start
    case "SequenceExpression": {
      const last = inner.expressions.at(-1)
      return last === undefined ? undefined : anchorOf(last)
    }
    default:
      return undefined
  }
}
