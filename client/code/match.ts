import { dirname } from "node:path"
import { type CompilerOptions, compilerOptionsFor } from "./compiler-options.ts"
import { isOfProject } from "./outside.ts"
import { type SendableNode, isClassNode } from "./parse.ts"
import { runFlags } from "./run-flags.ts"
import type { SourceFile } from "./source-file.ts"
import type { ValueText } from "./text.ts"

/**
 * Which functions or classes of a source file are the value at hand.
 *
 * The value's text is what Bun made of the file: types gone, enums and constants written out, dead branches dropped.
 * To compare like with like, the file is transpiled once more, with a parameter put in front of every candidate that
 * tells where it stands in the output; in front of the members of a class, a method. A candidate matches where its output, without that parameter, is the value's
 * text to the letter. A guess by name or shape was rejected: two arrow functions in one line, or a file that was
 * edited since it was loaded, would pass.
 */
export function matching(
  file: SourceFile,
  candidates: readonly SendableNode[],
  value: ValueText,
): readonly SendableNode[] {
  const likely = candidates.filter((node) => mayBe(node, value.node))
  if (likely.length === 0) return []
  // Bun runs what was bundled for it as it stands.
  const own = value.code.slice(value.node.start - value.start)
  const same = likely.filter(({ start, end }) => file.text.slice(start, end) === own)
  if (same.length > 0) return same
  for (const how of WAYS_TO_RUN) {
    for (const options of compilerOptionsFor(file.path, value.code)) {
      const matches = transpiledAlike(file, likely, value, { ...how, options })
      if (matches.length > 0) return matches
    }
  }
  return []
}

function transpiledAlike(
  file: SourceFile,
  candidates: readonly SendableNode[],
  value: ValueText,
  { options, ...how }: (typeof WAYS_TO_RUN)[number] & { readonly options: CompilerOptions },
): readonly SendableNode[] {
  const prefix = unusedPrefix(file.text)
  const marked = mark(file, candidates, prefix, value.node.id?.name)
  const tsconfig = JSON.stringify({ compilerOptions: options })
  const transpiler = new Bun.Transpiler({
    loader: file.dialect,
    tsconfig,
    ...AS_BUN_RUNS,
    ...how,
    define: { ...AS_BUN_RUNS.define, ...runFlags().define },
  })
  const { output, places } = unmark(normal(transpiler.transformSync(marked)), prefix)
  const text = normal(value.code)
  return candidates.filter((_, index) => {
    const place = places.get(index)
    if (place === undefined) return false
    const start = isClassNode(value.node)
      ? output.lastIndexOf(text, place)
      : place - bracketOf(value, text) - 1
    const end = start + text.length
    return output.startsWith(text, start) && place <= end && ENDED.test(output.slice(end))
  })
}

/** The offset in the text of the bracket that a mark stands after. With classes the mark may move. */
function bracketOf({ node, start }: ValueText, text: string): number {
  return text.indexOf("(", ((isClassNode(node) ? undefined : node.id?.end) ?? start) - start)
}

/** Without what depends on the way to the text: CommonJS is indented, and a run of Bun writes "node:fs" for "fs". */
function normal(code: string): string {
  return code.replaceAll(/\n[ \t]+/g, "\n").replaceAll(/\b(import|require)\("node:/g, '$1("')
}

/**
 * The likeliest first. With a debugger (`--inspect`) Bun keeps the syntax as it is written, which `Bun.Transpiler` does for
 * this target only; with `bun test --coverage` also what is never reached.
 */
const WAYS_TO_RUN = [
  { target: "bun" },
  { target: "node" },
  { target: "node", deadCodeElimination: false },
] as const

/** What `Bun.Transpiler` does on its own, and a run of Bun does not, is undone here. */
const AS_BUN_RUNS = {
  inline: true,
  define: {
    "process.env.NODE_ENV": "process.env.NODE_ENV",
    "process.browser": "process.browser",
  },
} as const

// `(x) => x` is no match for `(x) => x + 1`. Comments tell the names of enum members that were written out.
const ENDED = /^(?: \/\*.*?\*\/)* ?(?:[),;\]}\n]|$)/

/**
 * What stands before the text that is compared, or tells one form from another: `async` before an arrow function,
 * `function` before what would otherwise be a method.
 */
function mayBe(candidate: SendableNode, value: SendableNode): boolean {
  if (isClassNode(candidate) || isClassNode(value)) {
    return isClassNode(candidate) && isClassNode(value)
  }
  return (
    candidate.async === value.async &&
    candidate.generator === value.generator &&
    (isNameless(candidate) || candidate.id?.name === value.id?.name)
  )
}

/** `export default function () {}`, to which Bun gives the name of its file. */
function isNameless(node: SendableNode): boolean {
  return node.type === "FunctionDeclaration" && node.id === null
}

function unusedPrefix(text: string): string {
  let prefix = "mark_"
  while (text.includes(prefix)) prefix += "_"
  return prefix
}

function mark(
  { text, program, path }: SourceFile,
  nodes: readonly SendableNode[],
  prefix: string,
  given: string | undefined,
): string {
  const inserts = nodes.flatMap((node, index) => [
    ...insertsFor(text, node, `${prefix}${index}`),
    ...(given !== undefined && isNameless(node)
      ? [{ at: nameAt(text, node), insert: ` ${given}` }]
      : []),
  ])
  // The transpiler knows no path that macros could be beside.
  for (const node of program.body) {
    if (node.type !== "ImportDeclaration" || !isOfProject(node.source.value)) continue
    if (node.attributes.some(({ value }) => value.value === "macro")) {
      inserts.push({ at: node.source.start + 1, insert: `${dirname(path)}/` })
    }
  }
  let marked = text
  // From the end, so that the offsets before stay right.
  for (const { at, insert } of inserts.toSorted((a, b) => b.at - a.at)) {
    marked = marked.slice(0, at) + insert + marked.slice(at)
  }
  return marked
}

/** Where the name of a function would stand that has none. */
function nameAt(text: string, node: SendableNode): number {
  const word = text.indexOf("function", node.start) + "function".length
  return node.type === "FunctionDeclaration" && node.generator ? text.indexOf("*", word) + 1 : word
}

interface Insert {
  readonly at: number
  readonly insert: string
}

/** Where a comment hides the bracket, the mark gets lost and nothing matches. */
function insertsFor(text: string, node: SendableNode, name: string): readonly Insert[] {
  if (isClassNode(node)) return [{ at: node.body.start + 1, insert: ` ${name}() {} ` }]
  const [first] = node.params
  if (first === undefined) {
    const bracket = text.indexOf("(", (node.typeParameters ?? node.id)?.end ?? node.start)
    return [{ at: bracket + 1, insert: name }]
  }
  // Of TypeScript, it has to stay the first.
  if (first.type === "Identifier" && first.name === "this") {
    return [{ at: first.end, insert: `, ${name}` }]
  }
  if (text.slice(node.start, first.start).includes("(")) {
    return [{ at: first.start, insert: `${name}, ` }]
  }
  return [
    { at: first.start, insert: `(${name}, ` },
    { at: first.end, insert: ")" },
  ]
}

interface Unmarked {
  readonly output: string
  /** Where each mark stood: right after the bracket that opens the parameters. */
  readonly places: ReadonlyMap<number, number>
}

function unmark(marked: string, prefix: string): Unmarked {
  const places = new Map<number, number>()
  let output = ""
  let from = 0
  for (const found of marked.matchAll(
    new RegExp(`\n?${prefix}(\\d+)(?:, |\\(\\) ?\\{\\})?`, "g"),
  )) {
    output += marked.slice(from, found.index)
    places.set(Number(found[1]), output.length)
    from = found.index + found[0].length
  }
  return { output: output + marked.slice(from), places }
}
