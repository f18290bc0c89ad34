import { type CallExpression, type Node, walk } from "./parse.ts"
import type { Declaration, Range, Reference, Scopes } from "./scope.ts"

/**
 * What a function, a class or a statement uses from outside of itself, found in any program that contains it: in the
 * function's own text, and in its source file.
 *
 * Seen: names, `import.meta`, `import()` and `require()` of what is named in the text, and the `this` of an arrow
 * function. Not seen: what direct `eval` reads, specifiers that are computed, and files that are named by plain strings.
 */
export interface Outside {
  readonly kind: "name" | "meta" | "module" | "this"
  /** The name; with "module" the specifier. */
  readonly name: string
  /** Offset of the first use. */
  readonly start: number
  /** With "module": `name` is all of the specifier, not only its fixed beginning. */
  readonly isWhole: boolean
  /** Every use only asks for its type (`typeof maybe`), which is no error for a name that does not exist. */
  readonly onlyTypeof: boolean
  /** Some use gives it another value. */
  readonly written: boolean
  /** With names that the program declares: the declaration of the first use. */
  readonly declaration?: Declaration
}

/** One entry for each thing, in the order of first use. */
export function outsideOf(root: Node, scopes: Scopes): readonly Outside[] {
  const { found, typeofs, calls } = survey(root)
  for (const reference of scopes.outsideOf(rangeOf(root))) {
    const { name, start, written, declaration } = reference
    // A file may have a helper of its own, which then is needed like anything else.
    if (name === NAME_HELPER && declaration === undefined && isNameCall(reference, calls)) continue
    found.push({
      kind: "name",
      name,
      start,
      isWhole: true,
      onlyTypeof: typeofs.has(start),
      written,
      ...(declaration !== undefined && { declaration }),
    })
  }
  return merge(found.toSorted((a, b) => a.start - b.start))
}

/** With the decorators of a class, which stand before it. */
export function rangeOf(node: Node): Range {
  const decorators = "decorators" in node ? (node.decorators ?? []) : []
  return { start: Math.min(node.start, ...decorators.map(({ start }) => start)), end: node.end }
}

/** esbuild adds calls of it to keep names; modules that are sent define it (source.ts). */
const NAME_HELPER = "__name"

function isNameCall(reference: Reference, calls: ReadonlyMap<number, CallExpression>): boolean {
  const [, name, ...more] = calls.get(reference.start)?.arguments ?? []
  return name?.type === "Literal" && typeof name.value === "string" && more.length === 0
}

interface Survey {
  readonly found: Outside[]
  /** Offsets of names whose type alone is asked for. */
  readonly typeofs: ReadonlySet<number>
  /** Calls by the offset of the name that is called. */
  readonly calls: ReadonlyMap<number, CallExpression>
}

function survey(root: Node): Survey {
  const found: Outside[] = []
  const typeofs = new Set<number>()
  const calls = new Map<number, CallExpression>()
  const add = (kind: Outside["kind"], name: string, { start }: Node): void => {
    found.push({ kind, name, start, isWhole: true, onlyTypeof: false, written: false })
  }
  const addModule = (source: Node, { start }: Node): void => {
    const { text, isWhole } = specifierOf(source)
    if (text === "") return
    found.push({ kind: "module", name: text, start, isWhole, onlyTypeof: false, written: false })
  }
  walk(root, (node) => {
    switch (node.type) {
      case "MetaProperty":
        if (node.meta.name === "import") add("meta", "import.meta", node)
        break
      case "ImportExpression":
        addModule(node.source, node)
        break
      case "CallExpression": {
        if (node.callee.type === "Identifier") calls.set(node.callee.start, node)
        const [first] = node.arguments
        if (isRequire(node.callee) && first !== undefined) addModule(first, node)
        break
      }
      case "UnaryExpression":
        if (node.operator === "typeof" && node.argument.type === "Identifier") {
          typeofs.add(node.argument.start)
        }
        break
      default:
    }
    return true
  })
  if (root.type === "ArrowFunctionExpression") walkThis(root, (node) => add("this", "this", node))
  return { found, typeofs, calls }
}

/** Finds the `this` of the place around an arrow function: other functions and classes have their own. */
function walkThis(arrow: Node, visit: (node: Node) => void): void {
  walk(arrow, (node) => {
    if (node.type === "ThisExpression") visit(node)
    return !HAS_OWN_THIS.has(node.type)
  })
}

const HAS_OWN_THIS: ReadonlySet<string> = new Set([
  "FunctionExpression",
  "FunctionDeclaration",
  "PropertyDefinition",
  "AccessorProperty",
  "StaticBlock",
])

/** `require` and `require.resolve`. */
function isRequire(callee: Node): boolean {
  if (callee.type === "MemberExpression") return isRequire(callee.object)
  return callee.type === "Identifier" && callee.name === "require"
}

/** True for `./x`, a file beside this one, and for `#x`, which the package of the file explains. */
export function isOfProject(specifier: string): boolean {
  return /^(?:\.{1,2}(?:\/|$)|#)/.test(specifier)
}

/** Names that Bun's transpiler makes: `jsxDEV_7x81h0kn`, `__decorateElement_ggs2dd8p`. */
export function isTranspilerName(name: string): boolean {
  return /^(?:jsx|jsxs|jsxDEV|Fragment|__[A-Za-z]+)_[0-9a-z]{8}$/.test(name)
}

/** The text of a literal, or of a template as far as it is fixed. */
function specifierOf(source: Node): { readonly text: string; readonly isWhole: boolean } {
  if (source.type === "Literal" && typeof source.value === "string") {
    return { text: source.value, isWhole: true }
  }
  if (source.type !== "TemplateLiteral") return { text: "", isWhole: false }
  return { text: source.quasis[0]?.value.cooked ?? "", isWhole: source.quasis.length === 1 }
}

function merge(found: readonly Outside[]): readonly Outside[] {
  const merged = new Map<string, Outside>()
  for (const one of found) {
    const key = keyOf(one)
    const first = merged.get(key) ?? one
    const onlyTypeof = first.onlyTypeof && one.onlyTypeof
    const isWhole = first.isWhole && one.isWhole
    merged.set(key, { ...first, isWhole, onlyTypeof, written: first.written || one.written })
  }
  return [...merged.values()]
}

/** The same thing has the same key in every program. */
export function keyOf({ kind, name }: Outside): string {
  return `${kind} ${name}`
}
