import type { FunctionKind } from "../../protocol/function-spec.ts"
import { isGlobal } from "./globals.ts"
import { positionAt } from "./lines.ts"
import type { Located } from "./locate.ts"
import { type Outside, isOfProject, isTranspilerName, keyOf } from "./outside.ts"
import { isFunction, walk, withoutTypes } from "./parse.ts"
import type { Declaration } from "./scope.ts"
import type { FunctionText } from "./text.ts"

/**
 * Says what a function captured, one line for each thing: its name, where it is used, what it is, how to mend it.
 */

/** Something that the function uses from outside of itself. */
export interface Capture {
  /** As found in the function's own text. */
  readonly use: Outside
  /** The same in the source file, where the function was found there. */
  readonly inFile: Outside | undefined
}

export interface Surroundings {
  readonly text: FunctionText
  readonly located: Located | undefined
  readonly kind: FunctionKind
}

export function explain(captures: readonly Capture[], around: Surroundings): readonly string[] {
  const lines = new Map<string, string>()
  for (const capture of captures) {
    const { label, what, mend } = sentence(capture, around)
    // Several helpers of JSX are one trouble.
    const key = isTranspilerName(capture.use.name) ? label : keyOf(capture.use)
    if (lines.has(key)) continue
    lines.set(key, `${label} (${place(capture, around)}), ${what}: ${mend}`)
  }
  return [...lines.values()]
}

interface Sentence {
  readonly label: string
  readonly what: string
  readonly mend: string
}

function sentence(capture: Capture, around: Surroundings): Sentence {
  const { use, inFile } = capture
  const { name } = use
  switch (use.kind) {
    case "meta":
      return {
        label: name,
        what: "which tells of the file that it stands in",
        mend: "pass what you need of it as an argument",
      }
    case "module":
      return {
        label: JSON.stringify(name),
        what: "a module of this project, which does not travel",
        mend: "move what you need of it into the function",
      }
    case "this":
      return {
        label: name,
        what: "which an arrow function takes from the place where it is written",
        mend: "pass what you need of it as an argument",
      }
    case "name":
      if (inFile?.declaration === undefined) return undeclared(name, around.located !== undefined)
      return declared(name, inFile.declaration, use, around)
    default:
      return use.kind satisfies never
  }
}

const PASS = "pass it as an argument"
const MOVE = "move it into the function"
const PASS_OR_MOVE = `${PASS}, or ${MOVE}`

function undeclared(name: string, fileIsKnown: boolean): Sentence {
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
  const what = fileIsKnown
    ? "neither declared in this file nor a global of Bun"
    : "declared outside of the function"
  return { label: name, what, mend: fileIsKnown ? PASS : PASS_OR_MOVE }
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

function declared(
  name: string,
  declaration: Declaration,
  { written }: Outside,
  { located, kind }: Surroundings,
): Sentence {
  const { from } = declaration
  const hides = isGlobal(name) ? ", not the global of this name" : ""
  if (declaration.kind === "import") {
    const what =
      from === undefined ? "an import of this file" : `imported from ${JSON.stringify(from)}`
    return { label: name, what: what + hides, mend: load(declaration, name, kind) }
  }
  const line = located === undefined ? 0 : positionAt(located.source.text, declaration.start).line
  const what = `${nounOf(declaration)} ${placeOf(declaration, line)}${hides}`
  if (isItself(declaration, located)) {
    return {
      label: name,
      what: "the name of a constant that holds the function itself",
      mend: `give the function its own name, function ${name}(…) { … }`,
    }
  }
  if (written) return { label: name, what, mend: "return the new value instead of assigning it" }
  return { label: name, what, mend: mendOf(declaration) }
}

function mendOf(declaration: Declaration): string {
  const { kind, node } = declaration
  if (MOVABLE.has(nounOf(declaration))) return MOVE
  const hasValue = node.type === "VariableDeclarator" && node.init !== null
  return kind === "constant" && hasValue ? PASS_OR_MOVE : PASS
}

const MOVABLE: ReadonlySet<string> = new Set(["a function", "a class", "an enum", "a namespace"])

function nounOf({ kind, node }: Declaration): string {
  if (kind === "enum") return "an enum"
  if (kind !== "constant" || node.type !== "VariableDeclarator" || node.init === null) {
    return `a ${kind}`
  }
  const init = withoutTypes(node.init)
  if (isFunction(init)) return "a function"
  return init.type === "ClassExpression" ? "a class" : "a constant"
}

function placeOf({ owner }: Declaration, line: number): string {
  if (owner === undefined) return `of line ${line}`
  return `of the function ${owner.name ?? "around it"} (line ${line})`
}

/** `const fact = (n) => … fact(n - 1)`: the name belongs to the constant, not to the function. */
function isItself({ node }: Declaration, located: Located | undefined): boolean {
  if (node.type !== "VariableDeclarator" || node.init === null) return false
  return withoutTypes(node.init) === located?.node
}

function load({ node, from }: Declaration, name: string, kind: FunctionKind): string {
  if (from === undefined || isOfProject(from)) return "move what you need of it into the function"
  const specifier = JSON.stringify(from)
  const binding = bindingOf(node, name)
  if (kind === "async") return `load it inside, with const ${binding} = await import(${specifier})`
  // What `require` makes of a default export depends on the package.
  if (node.type === "ImportDefaultSpecifier") return `load it inside, with require(${specifier})`
  return `load it inside, with const ${binding} = require(${specifier})`
}

function bindingOf(node: Declaration["node"], local: string): string {
  if (node.type === "ImportDefaultSpecifier") return `{ default: ${local} }`
  if (node.type !== "ImportSpecifier") return local
  const imported =
    node.imported.type === "Identifier" ? node.imported.name : JSON.stringify(node.imported.value)
  return imported === local ? `{ ${local} }` : `{ ${imported}: ${local} }`
}

/** `/app/images.ts:12`, or the line within the function where its file is not known. */
function place({ use, inFile }: Capture, { text, located }: Surroundings): string {
  if (located === undefined) return `line ${positionAt(text.text, use.start).line} of the function`
  // What Bun adds stands nowhere in the file.
  const start = inFile?.start ?? firstJsx(located) ?? located.start
  return `${located.file}:${positionAt(located.source.text, start).line}`
}

function firstJsx({ node }: Located): number | undefined {
  let first: number | undefined
  walk(node, (inner) => {
    if (inner.type === "JSXElement" || inner.type === "JSXFragment") first ??= inner.start
    return first === undefined
  })
  return first
}
