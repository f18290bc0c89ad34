import { type Lift, liftOf, pathTo } from "./lift.ts"
import { type Needs, contains, topStatement } from "./needs.ts"
import { rangeOf } from "./outside.ts"
import type { Node, SendableNode } from "./parse.ts"
import type { Range } from "./scope.ts"
import type { SourceFile } from "./source-file.ts"

/**
 * A copy of a source file in which all is blank but what a function needs. What is kept stands where it stood, so that
 * the source map of the bundle tells lines and columns of the file itself.
 *
 * Invariants:
 * M1. The text has the lines of the file, and what is kept begins in its line and, where there is room for what has to
 *     stand before it, in its column.
 * M2. What is added are names that the file does not use, and lines at the end.
 */
export function maskOf(root: SendableNode, source: SourceFile, needs: Needs): string {
  const { text, program } = source
  const mask = new Mask(text)
  // Comments there tell the bundler how to read JSX.
  const [first] = program.body
  if (first !== undefined) mask.keep({ start: 0, end: startOf(first) })
  const name = unusedName(text)
  const holder = [...needs.declarations].find((node) => contains(node, root))
  const path = holder === undefined ? undefined : pathIn(holder, root)
  const lift = path === undefined ? liftOf(root, program, name) : undefined
  let isLifted = false
  for (const statement of statementsOf(needs, source)) {
    const within = lift !== undefined && contains(statement, lift) ? lift : undefined
    keepDeclared(mask, statement, needs, within)
    isLifted ||= within !== undefined
  }
  for (const [statement, used] of needs.imports)
    mask.put(statement, importText(statement, used, text))
  for (const statement of needs.exporting) mask.keep(rangeOf(statement))
  if (lift !== undefined && !isLifted) mask.lift({ ...lift, after: `${lift.after};` })
  const assigned = path === undefined ? "" : `=${path}`
  const value = isLifted ? "" : `var ${name}${assigned};`
  const aliases = [...needs.aliases, `${name} as ${JSON.stringify(VALUE)}`]
  const given = [...needs.values, ...needs.literals.keys()]
  const carried = given.length > 0 ? `import{${given.join(",")}}from${JSON.stringify(VALUES)};` : ""
  return `${mask.text}\n${carried}${value}export{${aliases.join(",")}};\n`
}

function statementsOf({ declarations }: Needs, source: SourceFile): ReadonlySet<Node> {
  const statements = [...declarations].map((node) => topStatement(node, source))
  return new Set(statements.filter((statement) => statement !== undefined))
}

/** The export of a mask that is the function or the class. */
export const VALUE = "bunhouse:value"
/** The module whose exports are the values that are carried along. */
export const VALUES = "bunhouse:values"

/** The kept declaration that would make the value anew by running other code: it cannot be kept. */
export function circular(root: SendableNode, needs: Needs): Node | undefined {
  const holders = [...needs.declarations, ...needs.exporting]
  const holder = holders.find((node) => node !== root && contains(node, root))
  return holder === undefined || pathTo(root, holder) !== undefined ? undefined : holder
}

function pathIn(holder: Node, root: SendableNode): string | undefined {
  if (holder !== root) return pathTo(root, holder)
  return "id" in root ? root.id?.name : undefined
}

/** `lift` is the function itself, where it stands between the declarators of the statement and becomes one of them. */
function keepDeclared(mask: Mask, statement: Node, needs: Needs, lift: Lift | undefined): void {
  const inner =
    statement.type === "ExportNamedDeclaration" ? (statement.declaration ?? statement) : statement
  const [first, last] =
    inner.type === "VariableDeclaration"
      ? [inner.declarations[0], inner.declarations.at(-1)]
      : [undefined, undefined]
  if (inner.type !== "VariableDeclaration" || first === undefined || last === undefined) {
    mask.keep({ start: startOf(statement), end: statement.end })
    return
  }
  mask.keep({ start: statement.start, end: first.start })
  mask.keep({ start: last.end, end: statement.end })
  const kept: Lift[] = inner.declarations
    .filter((declarator) => needs.declarations.has(declarator))
    .map(({ start, end }) => ({ start, end, before: "", after: "" }))
  const members = (lift === undefined ? kept : [...kept, lift]).toSorted(
    (a, b) => a.start - b.start,
  )
  for (const [at, member] of members.entries()) {
    // Between two declarators there is a comma at least.
    mask.lift(at < members.length - 1 ? { ...member, after: `${member.after},` } : member)
  }
}

/** Decorators may stand before `export`. */
function startOf(statement: Node): number {
  const declared = "declaration" in statement ? statement.declaration : null
  return Math.min(rangeOf(statement).start, declared === null ? Infinity : rangeOf(declared).start)
}

function importText(statement: Node, used: ReadonlySet<Node>, text: string): string {
  if (statement.type !== "ImportDeclaration") return text.slice(statement.start, statement.end)
  const parts: string[] = []
  const named: string[] = []
  for (const specifier of statement.specifiers) {
    if (!used.has(specifier)) continue
    const itself = text.slice(specifier.start, specifier.end)
    if (specifier.type === "ImportSpecifier") named.push(itself)
    else parts.push(itself)
  }
  if (named.length > 0) parts.push(`{${named.join(",")}}`)
  return `import ${parts.join(",")} from${text.slice(statement.source.start, statement.end)}`
}

/** As short as can be, because what stands before the function must make room for it. */
function unusedName(text: string): string {
  const used = new Set(text.match(/[\p{ID_Start}$_][\p{ID_Continue}$]*/gu))
  const short = "$ _ q x y z j k w v u a b c d e f g h i l m n o p r s t"
    .split(" ")
    .find((name) => !used.has(name))
  if (short !== undefined) return short
  let long = "bunhouse_"
  while (used.has(long)) long += "_"
  return long
}

class Mask {
  readonly #source: string
  readonly #pieces: Piece[] = []

  constructor(source: string) {
    this.#source = source
  }

  get text(): string {
    let text = ""
    let end = 0
    for (const piece of this.#pieces.toSorted((a, b) => a.start - b.start)) {
      text += blank(this.#source.slice(end, piece.start))
      const room = text.endsWith(" ".repeat(piece.before.length)) ? piece.before.length : 0
      text = text.slice(0, text.length - room) + piece.before + piece.text + piece.after
      end = piece.end
      // The character that stood there, a bracket or a comma, makes room.
      if (piece.after !== "" && blank(this.#source.slice(end, end + 1)) === " ") end++
    }
    return text + blank(this.#source.slice(end))
  }

  keep(range: Range): void {
    this.lift({ ...range, before: "", after: "" })
  }

  /** Writes `text` over a range, with as many lines; what follows keeps its column where `text` is no longer. */
  put({ start, end }: Range, text: string): void {
    const [first, ...more] = this.#source.slice(start, end).split(LINE_END)
    const lines = text.split(LINE_END)
    const last = more.at(-1) ?? first ?? ""
    const breaks = "\n".repeat(Math.max(0, more.length + 1 - lines.length))
    const shown = breaks === "" ? (lines.at(-1) ?? "") : ""
    const padding = " ".repeat(Math.max(0, last.length - shown.length))
    this.#pieces.push({ start, end, text: text + breaks + padding, before: "", after: "" })
  }

  /** Keeps a range with words around it, in blank space where there is some. */
  lift({ start, end, before, after }: Lift): void {
    this.#pieces.push({ start, end, before, after, text: this.#source.slice(start, end) })
  }
}

interface Piece extends Lift {
  readonly text: string
}

const LINE_END = /\r\n|[\n\r\u2028\u2029]/

function blank(text: string): string {
  return text.replaceAll(/[^\n\r\u2028\u2029]/g, " ")
}
