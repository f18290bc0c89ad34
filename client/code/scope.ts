import type { ScopeManager, Variable, analyze } from "@typescript-eslint/scope-manager"
import { type FunctionNode, type Node, type Parsed, type Program, isFunction } from "./parse.ts"

/**
 * Which name means which declaration. The scope manager is loaded with the first program that is analysed.
 *
 * Invariants:
 * S1. Only names of values count. A name in a type is no reference, and what only types declare is no declaration.
 * S2. What is declared for the type checker alone (`declare var self: Worker`) is no declaration.
 */
export interface Scopes {
  /** Every use of a name inside of `fn` that is not declared inside of it, in the order of the text. */
  outsideOf(fn: FunctionNode): readonly Reference[]
  /** What the name used at an offset means; undefined for what the program does not declare. */
  declarationOf(start: number): Declaration | undefined
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
}

export async function scopesOf({ program }: Parsed): Promise<Scopes> {
  const { analyze } = await import("@typescript-eslint/scope-manager")
  const manager = analyze(theirs(program), { sourceType: "module", lib: [], jsxPragma: null })
  let byStart: ReadonlyMap<number, Variable | null> | undefined
  return {
    outsideOf: (fn) => outsideOf(manager, fn),
    declarationOf: (start) => {
      byStart ??= new Map(
        manager.scopes.flatMap(({ references }) =>
          references.map(({ identifier, resolved }) => [identifier.range[0], resolved]),
        ),
      )
      return declarationOf(byStart.get(start) ?? null)
    },
  }
}

function outsideOf(manager: ScopeManager, fn: FunctionNode): readonly Reference[] {
  // The first scope of a node is its outermost: the one that holds a function expression's own name.
  const through = manager.nodeToScope.get(theirs(fn))?.[0]?.through ?? []
  return through
    .filter((reference) => reference.isValueReference)
    .map((reference) => ({
      name: reference.identifier.name,
      start: reference.identifier.range[0],
      written: reference.isWrite(),
      declaration: declarationOf(reference.resolved),
    }))
    .toSorted((a, b) => a.start - b.start)
}

function declarationOf(variable: Variable | null): Declaration | undefined {
  for (const definition of variable?.defs ?? []) {
    const node = ours(definition.node)
    const parent =
      definition.parent === null || definition.parent === undefined
        ? undefined
        : ours(definition.parent)
    const type: string = definition.type
    const declared = type === "Parameter" ? PARAMETER : declaredBy(node, parent)
    if (declared === undefined) continue
    const owner = ownerOf(variable?.scope.variableScope.block)
    return {
      ...declared,
      start: definition.name.range[0],
      node,
      ...(owner !== undefined && { owner }),
    }
  }
  return undefined
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
