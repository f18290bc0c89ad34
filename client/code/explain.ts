import { isGlobal } from "./globals.ts"
import { positionAt } from "./lines.ts"
import { type Outside, isTranspilerName, keyOf } from "./outside.ts"
import { type Node, isClassNode, isFunction, withoutTypes } from "./parse.ts"
import type { Declaration } from "./scope.ts"

/**
 * Says what cannot travel with a function, one line for each thing: its name, where it is used, what it is, how to
 * mend it.
 */

/** Where the uses stand. */
export interface Surroundings {
  /** What the offsets of the uses are of: the source file, or the function's own text where that is not known. */
  readonly text: string
  readonly file: string | undefined
  /** The function in that text. */
  readonly node: Node
  /** Names whose values are carried along. */
  readonly given: ReadonlySet<string>
}

/** A list for a message, one line each. */
export function explain(uses: readonly Outside[], around: Surroundings): string {
  const lines = new Map<string, string>()
  for (const use of uses) {
    const { label, what, mend } = sentence(use, around)
    // Several helpers of JSX are one trouble.
    const key = isTranspilerName(use.name) ? label : keyOf(use)
    if (lines.has(key)) continue
    lines.set(key, `${label} (${place(use, around)}), ${what}: ${mend}`)
  }
  return listed([...lines.values()])
}

/** Lines of a message, indented. */
export function listed(lines: readonly string[]): string {
  const shown = lines.slice(0, LINES_MAX).map((line) => `  ${line}`)
  const hidden = lines.length - shown.length
  return [...shown, ...(hidden > 0 ? [`  and ${hidden} more`] : [])].join("\n")
}

// Minified bundles may share hundreds of names; nobody mends them one by one.
const LINES_MAX = 40

interface Sentence {
  readonly label: string
  readonly what: string
  readonly mend: string
}

function sentence(use: Outside, around: Surroundings): Sentence {
  const { name, declaration } = use
  switch (use.kind) {
    case "meta":
      return { label: name, what: "which tells of the file that it stands in", mend: PASS_PART }
    case "module":
      return use.isWhole
        ? {
            label: JSON.stringify(name),
            what: "a module of this project, which does not travel",
            mend: "move what you need of it into the function",
          }
        : {
            label: JSON.stringify(name),
            what: "the beginning of a module's name that is not known before it runs",
            mend: "write the whole name, import(…) of a plain string",
          }
    case "this":
      return {
        label: name,
        what: "which an arrow function takes from the place where it is written",
        mend: PASS_PART,
      }
    case "name":
      if (around.given.has(name)) return { label: name, what: "a value", mend: RETURN }
      if (declaration === undefined) return undeclared(name, around)
      return declared(use, declaration, around)
    default:
      return use.kind satisfies never
  }
}

const PASS = "pass it as an argument"
const PASS_PART = "pass what you need of it as an argument"
const RETURN = "return the new value instead of assigning it"

/** A class brings no values along: its instances are made from what they are given. */
function carry(name: string, which: string, { node }: Surroundings): string {
  if (isClassNode(node)) return "pass it to the constructor"
  return `${PASS}, or carry ${which} along, with: { ${name} }`
}

function undeclared(name: string, around: Surroundings): Sentence {
  const special = SPECIAL.get(name)
  if (special !== undefined) return { label: name, ...special }
  if (isTranspilerName(name)) {
    return name.startsWith("__")
      ? {
          label: "decorators",
          what: "which need helpers that Bun adds to the file",
          mend: "do without them",
        }
      : {
          label: "JSX",
          what: "which needs the JSX runtime that Bun imports into the file",
          mend: "make the element without JSX",
        }
  }
  return around.file !== undefined
    ? { label: name, what: "neither declared in this file nor a global of Bun", mend: PASS }
    : {
        label: name,
        what: "declared outside of the function",
        mend: `${carry(name, "its value", around)}, or move it into the function`,
      }
}

const OF_THE_FILE = { what: "which belongs to the file that it stands in", mend: PASS }

const SPECIAL: ReadonlyMap<string, Omit<Sentence, "label">> = new Map([
  ["__dirname", OF_THE_FILE],
  ["__filename", OF_THE_FILE],
  ["module", OF_THE_FILE],
  ["exports", OF_THE_FILE],
  [
    "arguments",
    {
      what: "which an arrow function takes from the function around it",
      mend: "take rest parameters, (...args) => …",
    },
  ],
])

function declared(use: Outside, declaration: Declaration, around: Surroundings): Sentence {
  const { name } = use
  const { reassigned, isTopLevel } = declaration
  const lineOf = (offset: number): number => positionAt(around.text, offset).line
  const noun = nounOf(declaration)
  const hides = isGlobal(name) ? ", not the global of this name" : ""
  const what = `${noun} ${placeOf(declaration, lineOf(declaration.start))}${hides}`
  if (isItself(declaration, around.node)) {
    return {
      label: name,
      what: "the name of a constant that holds the function itself",
      mend: `give the function its own name, function ${name}(…) { … }`,
    }
  }
  if (use.written) return { label: name, what, mend: RETURN }
  if (isTopLevel && reassigned !== undefined) {
    const changes = `${what}, which gets another value in line ${lineOf(reassigned)}`
    return { label: name, what: changes, mend: carry(name, "its value of now", around) }
  }
  if (MOVABLE.has(noun)) return { label: name, what, mend: MOVE }
  return { label: name, what, mend: carry(name, "its value", around) }
}

const MOVE = "move it into the function, or to the top of the file"
const MOVABLE: ReadonlySet<string> = new Set(["a function", "a class", "an enum", "a namespace"])

function nounOf({ kind, node }: Declaration): string {
  if (kind === "enum") return "an enum"
  if (kind === "import") return "an import"
  if (kind !== "constant" || node.type !== "VariableDeclarator" || node.init === null) {
    return `a ${kind}`
  }
  const init = withoutTypes(node.init)
  if (isFunction(init)) return "a function"
  return init.type === "ClassExpression" ? "a class" : "a constant"
}

function placeOf({ owner, isTopLevel }: Declaration, line: number): string {
  if (isTopLevel) return `of line ${line}`
  if (owner === undefined) return `of the block around it (line ${line})`
  return `of the function ${owner.name ?? "around it"} (line ${line})`
}

/** `const fact = (n) => … fact(n - 1)`: the name belongs to the constant, not to the function. */
function isItself({ node }: Declaration, root: Node): boolean {
  if (node.type !== "VariableDeclarator" || node.init === null) return false
  return withoutTypes(node.init) === root
}

/** `/app/images.ts:12`, or the line within the function where its file is not known. */
function place({ start }: Outside, { text, file }: Surroundings): string {
  const { line } = positionAt(text, start)
  return file === undefined ? `line ${line} of the function` : `${file}:${line}`
}
