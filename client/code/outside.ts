import { type CallExpression, type FunctionNode, type Node, walk } from "./parse.ts"
import type { Declaration, Reference, Scopes } from "./scope.ts"

/**
 * What a function uses from outside of itself, found in any program that contains it: in the function's own text, and
 * in its source file.
 *
 * Seen: names, `import.meta`, relative `import()` and `require()`, and the `this` of an arrow function.
 * Not seen: what direct `eval` reads, specifiers that are computed, and files that are named by plain strings.
 */
export interface Outside {
  readonly kind: "name" | "meta" | "module" | "this"
  /** The name; with "module" the specifier. */
  readonly name: string
  /** Offset of the first use. */
  readonly start: number
  /** Every use only asks for its type (`typeof maybe`), which is no error for a name that does not exist. */
  readonly onlyTypeof: boolean
  /** Some use gives it another value. */
  readonly written: boolean
  /** With names that the program declares: the declaration of the first use. */
  readonly declaration?: Declaration
}

/** One entry for each thing, in the order of first use. */
export function outsideOf(fn: FunctionNode, scopes: Scopes): readonly Outside[] {
  const { found, typeofs, calls } = survey(fn)
  for (const reference of scopes.outsideOf(fn)) {
    if (reference.name === NAME_HELPER && isNameCall(reference, calls)) continue
    const { name, start, written, declaration } = reference
    found.push({
      kind: "name",
      name,
      start,
      onlyTypeof: typeofs.has(start),
      written,
      ...(declaration !== undefined && { declaration }),
    })
  }
  return merge(found.toSorted((a, b) => a.start - b.start))
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

function survey(fn: FunctionNode): Survey {
  const found: Outside[] = []
  const typeofs = new Set<number>()
  const calls = new Map<number, CallExpression>()
  const add = (kind: Outside["kind"], name: string, { start }: Node): void => {
    found.push({ kind, name, start, onlyTypeof: false, written: false })
  }
  walk(fn, (node) => {
    switch (node.type) {
      case "MetaProperty":
        if (node.meta.name === "import") add("meta", "import.meta", node)
        break
      case "ImportExpression":
        if (isOfProject(specifierOf(node.source))) {
          add("module", specifierOf(node.source), node)
        }
        break
      case "CallExpression": {
        if (node.callee.type === "Identifier") calls.set(node.callee.start, node)
        const [first] = node.arguments
        if (isRequire(node.callee) && first !== undefined && isOfProject(specifierOf(first))) {
          add("module", specifierOf(first), node)
        }
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
  if (fn.type === "ArrowFunctionExpression") walkThis(fn, (node) => add("this", "this", node))
  return { found, typeofs, calls }
}

/** Finds the `this` of the place around an arrow function: other functions and classes have their own. */
function walkThis(arrow: FunctionNode, visit: (node: Node) => void): void {
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
function specifierOf(source: Node): string {
  if (source.type === "Literal" && typeof source.value === "string") return source.value
  return source.type === "TemplateLiteral" ? (source.quasis[0]?.value.cooked ?? "") : ""
}

function merge(found: readonly Outside[]): readonly Outside[] {
  const merged = new Map<string, Outside>()
  for (const one of found) {
    const key = keyOf(one)
    const first = merged.get(key) ?? one
    const onlyTypeof = first.onlyTypeof && one.onlyTypeof
    merged.set(key, { ...first, onlyTypeof, written: first.written || one.written })
  }
  return [...merged.values()]
}

/** The same thing has the same key in every program. */
export function keyOf({ kind, name }: Outside): string {
  return `${kind} ${name}`
}
