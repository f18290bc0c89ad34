import type {
  Reference as TheirReference,
  ScopeManager,
  Variable,
  analyze,
} from "@typescript-eslint/scope-manager"
import { type Node, type Parsed, type Program, isFunction } from "./parse.ts"

/**
 * Which name means which declaration. The scope manager is loaded with the first program that is analysed.
 *
 * Invariants:
 * S1. Only names of values count. A name in a type is no reference, and what only types declare is no declaration.
 * S2. What is declared for the type checker alone (`declare var self: Worker`) is no declaration.
 */
export interface Scopes {
  /** Every use of a name inside of `range` that is not declared inside of it, in the order of the text. */
  outsideOf(range: Range): readonly Reference[]
  /** What the name used at an offset means; undefined for what the program does not declare. */
  declarationOf(start: number): Declaration | undefined
  /** What a name means at the top of the program. */
  topLevel(name: string): Declaration | undefined
}

/** Offsets in the text. */
export interface Range {
  readonly start: number
  readonly end: number
}

export interface Reference {
  readonly name: string
  readonly start: number
  /** It is given another value here. */
  readonly written: boolean
  readonly declaration: Declaration | undefined
}

type DeclarationKind =
  "import" | "constant" | "variable" | "parameter" | "function" | "class" | "enum" | "namespace"

export interface Declaration {
  readonly kind: DeclarationKind
  /** Offset of the name where it is declared. */
  readonly start: number
  /** What declares it: a declarator, a function, a class, an import specifier, a parameter's function. */
  readonly node: Node
  /** With imports: the specifier, as in `from "x"`. */
  readonly from?: string
  /** The function whose variable it is, as far as it has a name; undefined for names of the file itself. */
  readonly owner?: { readonly name: string | undefined }
  /** It belongs to the program itself, not to a function, a class or a block. */
  readonly isTopLevel: boolean
  /** All that declares it: enums and namespaces can be continued, functions have overloads. */
  readonly nodes: readonly Node[]
  /** Offset of a place that gives it another value after its declaration. */
  readonly reassigned?: number
}

export async function scopesOf(parsed: Parsed): Promise<Scopes> {
  return (await scopeReader())(parsed)
}

/** The same for many programs, each of which is analysed when it is asked for. */
export async function scopeReader(): Promise<(parsed: Parsed) => Scopes> {
  const { analyze } = await import("@typescript-eslint/scope-manager")
  return (parsed) => analyse(parsed, analyze)
}

function analyse({ program }: Parsed, read: Analyze): Scopes {
  const manager = read(theirs(program), { sourceType: "module", lib: [], jsxPragma: null })
  const known = new Map<Variable, Declaration | undefined>()
  const declared = (variable: Variable | null): Declaration | undefined => {
    if (variable === null) return undefined
    if (!known.has(variable)) known.set(variable, declarationOf(variable))
    return known.get(variable)
  }
  const uses = manager.scopes
    .flatMap(({ references }) => references)
    .toSorted((a, b) => a.identifier.range[0] - b.identifier.range[0])
  let byStart: ReadonlyMap<number, Variable | null> | undefined
  return {
    outsideOf: (range) =>
      uses.filter((use) => isOutside(use, range)).map((use) => referenceOf(use, declared)),
    declarationOf: (start) => {
      byStart ??= new Map(uses.map(({ identifier, resolved }) => [identifier.range[0], resolved]))
      return declared(byStart.get(start) ?? null)
    },
    topLevel: (name) => {
      const top = manager.scopes.find(({ type }) => isModule(type))
      return declared(top?.set.get(name) ?? null)
    },
  }
}

type Analyze = typeof analyze

/** A use of a value (S1) within `range` whose variable is not one of a scope within `range`. */
function isOutside(use: TheirReference, { start, end }: Range): boolean {
  const [at] = use.identifier.range
  if (at < start || at >= end || !use.isValueReference) return false
  const { resolved } = use
  if (resolved === null || isTopLevel(resolved)) return true
  const [from, to] = resolved.scope.block.range
  return from < start || to > end
}

function referenceOf(
  use: TheirReference,
  declared: (variable: Variable | null) => Declaration | undefined,
): Reference {
  return {
    name: use.identifier.name,
    start: use.identifier.range[0],
    written: use.isWrite() && use.init !== true,
    declaration: declared(use.resolved),
  }
}

function isTopLevel({ scope }: Variable): boolean {
  return isModule(scope.type)
}

function isModule(type: string): boolean {
  return type === "module"
}

function declarationOf(variable: Variable): Declaration | undefined {
  let first: Declaration | undefined
  const nodes: Node[] = []
  for (const definition of variable.defs) {
    const node = ours(definition.node)
    const parent =
      definition.parent === null || definition.parent === undefined
        ? undefined
        : ours(definition.parent)
    const type: string = definition.type
    const declared = type === "Parameter" ? PARAMETER : declaredBy(node, parent)
    if (declared === undefined) continue
    nodes.push(node)
    const owner = ownerOf(variable.scope.variableScope.block)
    const again = variable.references.find((use) => use.isWrite() && use.init !== true)
    first ??= {
      ...declared,
      start: definition.name.range[0],
      node,
      nodes,
      isTopLevel: isTopLevel(variable),
      ...(owner !== undefined && { owner }),
      ...(again !== undefined && { reassigned: again.identifier.range[0] }),
    }
  }
  return first
}

const PARAMETER = { kind: "parameter" } as const

/** Undefined for what declares no value (S1, S2), and for the signatures of an overloaded function. */
function declaredBy(
  node: Node,
  parent: Node | undefined,
): Pick<Declaration, "kind" | "from"> | undefined {
  switch (node.type) {
    case "ImportSpecifier":
    case "ImportDefaultSpecifier":
    case "ImportNamespaceSpecifier":
      return parent?.type === "ImportDeclaration"
        ? { kind: "import", from: parent.source.value }
        : { kind: "import" }
    case "TSImportEqualsDeclaration":
      return { kind: "import" }
    case "VariableDeclarator":
      if (parent?.type !== "VariableDeclaration" || parent.declare === true) return undefined
      return {
        kind:
          parent.kind === "const" || parent.kind === "using" || parent.kind === "await using"
            ? "constant"
            : "variable",
      }
    case "CatchClause":
      return { kind: "variable" }
    case "FunctionDeclaration":
    case "FunctionExpression":
      return { kind: "function" }
    case "ClassDeclaration":
    case "ClassExpression":
      return node.declare === true ? undefined : { kind: "class" }
    case "TSEnumDeclaration":
      return node.declare ? undefined : { kind: "enum" }
    case "TSModuleDeclaration":
      return node.declare ? undefined : { kind: "namespace" }
    default:
      return undefined
  }
}

function ownerOf(block: Theirs | undefined): Declaration["owner"] {
  if (block === undefined) return undefined
  const node = ours(block)
  return isFunction(node) ? { name: node.id?.name } : undefined
}

type Theirs = Parameters<ScopeManager["nodeToScope"]["get"]>[0]

// The scope manager is typed for another parser, whose trees have the same form; it hands back the very nodes it
// was given.
function theirs(node: Program): Parameters<typeof analyze>[0]
function theirs(node: Node): Theirs
function theirs(node: Node): unknown {
  return node
}

function ours(node: Theirs): Node
function ours(node: unknown): unknown {
  return node
}
