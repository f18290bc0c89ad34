import type { CallSite } from "./call-site.ts"
import { type Found, findValue } from "./find-value.ts"
import type { AnyClass, AnyFunction } from "./kind.ts"
import { offsetAt, positionAt } from "./lines.ts"
import { matching } from "./match.ts"
import {
  type CallExpression,
  type Node,
  type SendableNode,
  isClassNode,
  isFunction,
  walk,
  withoutTypes,
} from "./parse.ts"
import { type SourceFile, readSourceFile } from "./source-file.ts"
import { type ValueText, readValueText } from "./text.ts"

/**
 * Finds a function or a class in the source file that it was written in: the file of the call, or one that it imports
 * it from.
 *
 * Invariants:
 * F1. What is found was verified against the value's own text (match.ts). Where two would do, or none, the answer is
 *     undefined. So it is for what was made by `eval` and by `bun -e`.
 * F2. Never throws: a file that cannot be read or parsed is one more reason for undefined.
 */
export interface Located {
  readonly file: string
  /** Where it begins, from 1, as in a stack. */
  readonly line: number
  readonly column: number
  /** Offsets in the text of the file. */
  readonly start: number
  readonly end: number
  /** The same in the tree of the file. */
  readonly node: SendableNode
  readonly source: SourceFile
}

/** `site` is where `fn(f)` was called. */
export async function locate(
  f: AnyFunction | AnyClass,
  site: CallSite | undefined,
): Promise<Located | undefined> {
  if (site === undefined) return undefined
  try {
    return await locateText(await readValueText(f), site)
  } catch {
    return undefined
  }
}

/** The same for a text that was read already. */
export async function locateText(
  value: ValueText,
  site: CallSite | undefined,
): Promise<Located | undefined> {
  try {
    const program = site === undefined ? undefined : await readSourceFile(site.file)
    if (site === undefined || program === undefined) return undefined
    const offset = offsetAt(program.text, site)
    const call = callsIn(program.program).find((one) => isAt(one, offset, program.text))
    const found = (await argumentOf(call, program, value)) ?? (await behind(call, program, value))
    if (found === undefined) return undefined
    return locatedAt(found.node, found.source)
  } catch {
    return undefined
  }
}

export function locatedAt(node: SendableNode, source: SourceFile): Located {
  const { start, end } = node
  return { file: source.path, ...positionAt(source.text, start), start, end, node, source }
}

interface Candidate {
  readonly node: SendableNode
  readonly source: SourceFile
}

function candidateOf(found: Found | undefined): Candidate | undefined {
  if (found === undefined) return undefined
  const { node, source } = found
  return isFunction(node) || isClassNode(node) ? { node, source } : undefined
}

/** The usual case: the call site is the call of `fn`, and its first argument is the function. */
async function argumentOf(
  call: CallExpression | undefined,
  source: SourceFile,
  value: ValueText,
): Promise<Candidate | undefined> {
  const argument = candidateOf(await findValue(call?.arguments[0], source))
  if (argument === undefined) return undefined
  return matching(argument.source, [argument.node], value).length > 0 ? argument : undefined
}

/**
 * The call of `fn` may stand behind the call site (call-site.ts): in the function that is called there or, where the
 * site points at no name that is called, in a class or in a function that is called where it is written. Then it has
 * to be the only call there whose first argument has the value's text (F1).
 */
async function behind(
  call: CallExpression | undefined,
  source: SourceFile,
  value: ValueText,
): Promise<Candidate | undefined> {
  const called = candidateOf(await findValue(call?.callee, source))
  if (call !== undefined && called === undefined) return undefined
  const candidates = new Map<SendableNode, SourceFile>()
  const roots = called === undefined ? runInPlace(source.program) : [called.node]
  for (const root of roots) {
    for (const { arguments: given } of callsIn(root)) {
      const argument = candidateOf(await findValue(given[0], called?.source ?? source))
      if (argument !== undefined) candidates.set(argument.node, argument.source)
    }
  }
  const matches: Candidate[] = []
  for (const file of new Set(candidates.values())) {
    const nodes = [...candidates].filter(([, its]) => its === file).map(([node]) => node)
    for (const node of matching(file, nodes, value)) matches.push({ node, source: file })
  }
  const [first, ...more] = matches
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

/** Bun's stacks give the name that is called or, for a file that it runs as it stands, the bracket after it. */
function isAt({ callee }: CallExpression, offset: number | undefined, text: string): boolean {
  if (offset === undefined || anchorOf(callee) === offset) return offset !== undefined
  return (
    text[offset] === "(" && /^[)\s]*$/.test(text.slice(callee.end, offset)) && offset >= callee.end
  )
}

/** The offset of the name that is called. */
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
