import { nameOf } from "./find-value.ts"
import { isGlobal } from "./globals.ts"
import { type Outside, keyOf, outsideOf, rangeOf } from "./outside.ts"
import { type Node, type SendableNode, walk, withoutTypes } from "./parse.ts"
import { isDefined } from "./run-flags.ts"
import type { Declaration, Range } from "./scope.ts"
import type { SourceFile } from "./source-file.ts"

/**
 * Which statements of a source file a function or a class needs: imports, and declarations at the top of the file, with
 * those that they need in turn.
 *
 * Invariants:
 * N1. Every name in what is kept is declared in what is kept, is a value that is carried along, or is a global of Bun;
 *     each one that is not, is a trouble.
 * N2. Nothing is kept whose evaluation would need a value that changes while the program runs.
 */
export interface Needs {
  /** By import statement, the specifiers that are used. */
  readonly imports: ReadonlyMap<Node, ReadonlySet<Node>>
  /** Declarators, and declarations of functions, classes, enums and namespaces. */
  readonly declarations: ReadonlySet<Node>
  /** Statements that are kept for what they export to files that import this one. */
  readonly exporting: ReadonlySet<Node>
  /** What such files import by another name: `a as b`. */
  readonly aliases: ReadonlySet<string>
  /** Names that are carried along as values. */
  readonly values: ReadonlySet<string>
  /** Constants of functions around it whose values stand in the text, such as `60 * 1_000`, by name. */
  readonly literals: ReadonlyMap<string, string>
  /** Packages and files that `import()` and `require()` name in the text. */
  readonly loads: ReadonlySet<string>
  readonly troubles: readonly Outside[]
}

/** What the function needs beside its own text. */
export interface Wanted {
  /** Names of values that are carried along; they stand for every use of the name in the file. */
  readonly values: ReadonlySet<string>
  /** What other files of the bundle import from this one. */
  readonly exports: ReadonlySet<string>
}

/** Names that the file exports itself; what it re-exports whole is not looked at. */
export function exportsOf({ program }: SourceFile): readonly string[] {
  return program.body.flatMap((statement) => {
    if (statement.type !== "ExportNamedDeclaration") return []
    const { declaration, specifiers } = statement
    const names = specifiers.map(({ exported }) => nameOf(exported))
    if (declaration?.type !== "VariableDeclaration") {
      const id = declaration !== null && "id" in declaration ? declaration.id : null
      return id === null ? names : [...names, nameOf(id)]
    }
    for (const { id } of declaration.declarations) {
      walk(id, (node) => {
        if (node.type === "Identifier") names.push(node.name)
        return true
      })
    }
    return names
  })
}

export function needsOf(root: SendableNode, source: SourceFile, wanted: Wanted): Needs {
  const search = new Search(root, source, wanted.values)
  search.visit(root)
  for (const name of wanted.exports) search.export(name)
  return search
}

class Search implements Needs {
  readonly imports = new Map<Node, Set<Node>>()
  readonly declarations = new Set<Node>()
  readonly exporting = new Set<Node>()
  readonly aliases = new Set<string>()
  readonly values = new Set<string>()
  readonly literals = new Map<string, string>()
  readonly loads = new Set<string>()
  readonly #root: SendableNode
  readonly #source: SourceFile
  readonly #given: ReadonlySet<string>
  readonly #troubles = new Map<string, Outside>()

  constructor(root: SendableNode, source: SourceFile, given: ReadonlySet<string>) {
    this.#root = root
    this.#source = source
    this.#given = given
    if (topStatement(root, source) !== undefined) this.declarations.add(root)
  }

  get troubles(): readonly Outside[] {
    return [...this.#troubles.values()]
  }

  visit(node: Node): void {
    for (const use of outsideOf(node, this.#source.scopes)) {
      if (use.kind === "module" && use.isWhole) this.loads.add(use.name)
      else if (use.kind === "name") this.#name(use)
      else if (use.kind !== "meta" || !this.#tellsNothing(use)) this.#trouble(use)
    }
    for (const use of jsxUses(node, this.#source)) this.#name(use)
  }

  /** Keeps what the file exports as `name`. */
  export(name: string): void {
    for (const statement of this.#source.program.body) {
      if (statement.type === "ExportNamedDeclaration") this.#exportNamed(statement, name)
      else if (statement.type === "ExportAllDeclaration") this.exporting.add(statement)
      else if (statement.type === "ExportDefaultDeclaration" && name === "default") {
        const { declaration } = statement
        if (topStatement(declaration, this.#source) !== undefined) this.#keep(declaration)
        else if (!this.exporting.has(statement)) {
          this.exporting.add(statement)
          this.visit(declaration)
        }
      }
    }
  }

  #exportNamed(statement: Node, name: string): void {
    if (statement.type !== "ExportNamedDeclaration") return
    for (const { local, exported } of statement.specifiers) {
      if (name !== nameOf(exported)) continue
      if (statement.source !== null) this.exporting.add(statement)
      else {
        const { start, end } = local
        const declaration = this.#source.scopes.topLevel(nameOf(local))
        if (declaration === undefined) continue
        this.#declared(useOf(nameOf(local), start, declaration))
        this.aliases.add(
          `${this.#source.text.slice(start, end)} as ${JSON.stringify(nameOf(exported))}`,
        )
      }
    }
    const { declaration } = statement
    if (declaration === null) return
    const declared =
      declaration.type === "VariableDeclaration" ? declaration.declarations : [declaration]
    for (const node of declared) {
      const id = "id" in node ? node.id : null
      if (id === null || id === undefined) continue
      const about = this.#source.scopes.topLevel(name)
      if (about?.nodes.includes(node) === true) this.#declared(useOf(name, id.start, about))
    }
  }

  #name(use: Outside): void {
    const { name, declaration } = use
    // The name of a function expression, which it brings along.
    if (declaration !== undefined && declaration.node === this.#root) return
    if (this.#given.has(name)) {
      this.values.add(name)
      if (use.written) this.#trouble(use)
    } else if (declaration !== undefined) this.#declared(use)
    else if (!isKnown(name) && !use.onlyTypeof) this.#trouble(use)
  }

  #declared(use: Outside): void {
    const { declaration } = use
    if (declaration === undefined) return
    const { kind, nodes, isTopLevel, reassigned } = declaration
    const statements = nodes.map((node) => topStatement(node, this.#source))
    const literal = isTopLevel || use.written ? undefined : literalOf(declaration, this.#source)
    if (literal !== undefined && this.#source.scopes.topLevel(use.name) === undefined) {
      this.literals.set(use.name, literal)
    } else if (
      !isTopLevel ||
      use.written ||
      reassigned !== undefined ||
      statements.includes(undefined)
    ) {
      this.#trouble(use)
    } else if (kind === "import") this.#import(declaration)
    else for (const node of nodes) this.#keep(node)
  }

  #import({ node }: Declaration): void {
    const statement = topStatement(node, this.#source)
    if (statement === undefined) return
    const used = this.imports.get(statement) ?? new Set()
    this.imports.set(statement, used.add(node))
  }

  #keep(node: Node): void {
    if (this.declarations.has(node)) return
    this.declarations.add(node)
    this.visit(node)
  }

  #trouble(use: Outside): void {
    const key = keyOf(use)
    if (!this.#troubles.has(key)) this.#troubles.set(key, use)
  }

  /** What `import.meta` says is the same wherever the code stands. */
  #tellsNothing({ start }: Outside): boolean {
    return /^import\.meta\s*\.\s*(?:main|env|require)\b/.test(
      this.#source.text.slice(start, start + 80),
    )
  }
}

/** The text of a constant's value. Bun writes such values out where they are used, but not always. */
function literalOf({ kind, node }: Declaration, { text }: SourceFile): string | undefined {
  if (kind !== "constant" || node.type !== "VariableDeclarator") return undefined
  if (node.id.type !== "Identifier" || node.init === null) return undefined
  const value = withoutTypes(node.init)
  return isLiteral(value) ? text.slice(value.start, value.end) : undefined
}

function isLiteral(node: Node): boolean {
  switch (node.type) {
    case "Literal":
      return !("regex" in node)
    case "TemplateLiteral":
      return node.expressions.every(isLiteral)
    case "UnaryExpression":
      return isLiteral(node.argument)
    case "BinaryExpression":
      return isLiteral(node.left) && isLiteral(node.right)
    default:
      return false
  }
}

function isKnown(name: string): boolean {
  return isGlobal(name) || name === OF_EVERY_MODULE || isDefined(name)
}

// Not a global, but Bun gives every module its own.
const OF_EVERY_MODULE = "require"

/** Of factories, which Bun calls in place of JSX. */
function jsxUses(root: Node, { scopes, jsxFactories }: SourceFile): readonly Outside[] {
  if (jsxFactories.size === 0) return []
  let start: number | undefined
  walk(root, (node) => {
    if (node.type === "JSXElement" || node.type === "JSXFragment") start ??= node.start
    return start === undefined
  })
  if (start === undefined) return []
  const at = start
  return [...jsxFactories].map((name) => useOf(name, at, scopes.topLevel(name)))
}

function useOf(name: string, start: number, declaration: Declaration | undefined): Outside {
  return {
    kind: "name",
    name,
    start,
    isWhole: true,
    onlyTypeof: false,
    written: false,
    ...(declaration !== undefined && { declaration }),
  }
}

/**
 * The statement at the top of the file that declares `node`, which is a declarator, a declaration or an import
 * specifier. Undefined where it stands deeper, in a block or a function.
 */
export function topStatement(node: Node, { program }: SourceFile): Node | undefined {
  const statement = program.body.find((one) => contains(one, node))
  if (statement === undefined || statement === node) return statement
  if (statement.type === "ImportDeclaration") return statement
  if (statement.type === "VariableDeclaration") {
    return statement.declarations.some((one) => one === node) ? statement : undefined
  }
  if (statement.type === "ExportDefaultDeclaration") {
    const isDeclared = node.type === "FunctionDeclaration" || node.type === "ClassDeclaration"
    return isDeclared && node.id !== null && statement.declaration === node ? statement : undefined
  }
  if (statement.type !== "ExportNamedDeclaration") return undefined
  const { declaration } = statement
  if (declaration === node) return statement
  if (declaration?.type !== "VariableDeclaration") return undefined
  return declaration.declarations.some((one) => one === node) ? statement : undefined
}

export function contains(outer: Node, inner: Range): boolean {
  const { start, end } = rangeOf(outer)
  return start <= inner.start && inner.end <= end
}
