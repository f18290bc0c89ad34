import { dirname } from "node:path"
import { type Node, isClassNode, memberName, withoutTypes } from "./parse.ts"
import type { Declaration } from "./scope.ts"
import { type SourceFile, readSourceFile } from "./source-file.ts"

/**
 * What an expression stands for, as far as the files of the program show it: written in place, declared in the file,
 * imported from another one (renamed, by default, as a namespace, through re-exports), kept in an object literal or as
 * a method of a class.
 *
 * Undefined for a name whose value no file shows (a parameter, a global), and for an expression that says nothing, such
 * as a call.
 */
export interface Found {
  readonly node: Node
  readonly source: SourceFile
  /** The node is a program: the value is the namespace of its exports. */
  readonly isNamespace?: boolean
}

export async function findValue(
  node: Node | undefined,
  source: SourceFile,
  steps = 0,
): Promise<Found | undefined> {
  if (node === undefined || steps > STEPS_MAX) return undefined
  const inner = withoutTypes(node)
  switch (inner.type) {
    case "Identifier":
      return await findDeclared(source.scopes.declarationOf(inner.start), source, steps)
    case "MemberExpression": {
      const name = memberName({ key: inner.property, computed: inner.computed })
      return name === undefined ? undefined : await findMember(inner.object, name, source, steps)
    }
    case "AwaitExpression":
      return await findImported(withoutTypes(inner.argument), source)
    case "CallExpression":
      // As esbuild keeps names.
      if (inner.callee.type !== "Identifier" || inner.callee.name !== "__name") return undefined
      return await findValue(inner.arguments[0], source, steps + 1)
    default:
      return { node: inner, source }
  }
}

// Names that stand for names that stand for names, and files that re-export from files: nobody goes on like this for
// long.
const STEPS_MAX = 16

async function findDeclared(
  declaration: Declaration | undefined,
  source: SourceFile,
  steps: number,
): Promise<Found | undefined> {
  if (declaration === undefined) return undefined
  const { kind, node, from } = declaration
  switch (kind) {
    case "function":
    case "class":
      return { node, source }
    case "import": {
      const file = from === undefined ? undefined : await fileOf(from, source)
      if (file === undefined) return undefined
      if (node.type === "ImportNamespaceSpecifier") return namespaceOf(file)
      const name = node.type === "ImportSpecifier" ? nameOf(node.imported) : "default"
      return await findExport(name, file, steps + 1)
    }
    case "constant":
    case "variable": {
      if (node.type !== "VariableDeclarator" || node.init === null) return undefined
      // A variable may have been given another value since, but then the texts differ, and what was found is refused.
      if (node.id.type === "Identifier") return await findValue(node.init, source, steps + 1)
      if (node.id.type !== "ObjectPattern") return undefined
      for (const property of node.id.properties) {
        if (property.type !== "Property" || property.value.start !== declaration.start) continue
        const name = memberName(property)
        return name === undefined ? undefined : await findMember(node.init, name, source, steps)
      }
      return undefined
    }
    default:
      return undefined
  }
}

async function findMember(
  object: Node,
  name: string,
  source: SourceFile,
  steps: number,
): Promise<Found | undefined> {
  const inner = withoutTypes(object)
  const isInstance = inner.type === "NewExpression"
  const holder = await findHolder(inner, source, steps + 1)
  if (holder === undefined) return undefined
  if (holder.found.isNamespace === true) {
    return await findExport(name, holder.found.source, steps + 1)
  }
  const member = memberOf(holder.found.node, name, isInstance || holder.isInstance)
  return await findValue(member, holder.found.source, steps + 1)
}

/** What an object expression stands for, and whether it is an instance of a class that was found. */
async function findHolder(
  object: Node,
  source: SourceFile,
  steps: number,
): Promise<{ readonly found: Found; readonly isInstance: boolean } | undefined> {
  const found =
    object.type === "NewExpression"
      ? { node: object, source }
      : await findValue(object, source, steps)
  if (found?.node.type !== "NewExpression") return found && { found, isInstance: false }
  const made = await findValue(found.node.callee, found.source, steps + 1)
  return made && { found: made, isInstance: true }
}

function memberOf(object: Node, name: string, isInstance: boolean): Node | undefined {
  if (object.type === "ObjectExpression") {
    for (const property of object.properties) {
      if (property.type !== "Property" || property.kind !== "init") continue
      if (memberName(property) === name) return property.value
    }
  }
  if (isClassNode(object)) {
    for (const member of object.body.body) {
      const isMethod = member.type === "MethodDefinition"
      if (!isMethod && member.type !== "PropertyDefinition") continue
      if (member.static === isInstance || memberName(member) !== name) continue
      if (!isMethod || member.kind === "method") return member.value ?? undefined
    }
  }
  return undefined
}

/** `await import("./jobs.ts")`. */
async function findImported(node: Node, source: SourceFile): Promise<Found | undefined> {
  if (node.type !== "ImportExpression" || node.source.type !== "Literal") return undefined
  const file = await fileOf(String(node.source.value), source)
  return file && namespaceOf(file)
}

async function findExport(
  name: string,
  source: SourceFile,
  steps: number,
): Promise<Found | undefined> {
  if (steps > STEPS_MAX) return undefined
  const stars: string[] = []
  for (const statement of source.program.body) {
    if (statement.type === "ExportDefaultDeclaration" && name === "default") {
      return await findValue(statement.declaration, source, steps + 1)
    }
    if (statement.type === "ExportAllDeclaration") {
      if (statement.exported === null) stars.push(statement.source.value)
      else if (nameOf(statement.exported) === name) {
        const file = await fileOf(statement.source.value, source)
        return file && namespaceOf(file)
      }
    }
    if (statement.type !== "ExportNamedDeclaration") continue
    const specifier = statement.specifiers.find(({ exported }) => nameOf(exported) === name)
    if (specifier === undefined) continue
    const local = nameOf(specifier.local)
    if (statement.source === null) {
      return await findDeclared(source.scopes.topLevel(local), source, steps + 1)
    }
    const file = await fileOf(statement.source.value, source)
    return file && (await findExport(local, file, steps + 1))
  }
  if (isExportedHere(name, source)) {
    return await findDeclared(source.scopes.topLevel(name), source, steps + 1)
  }
  for (const star of name === "default" ? [] : stars) {
    const file = await fileOf(star, source)
    const found = file && (await findExport(name, file, steps + 1))
    if (found !== undefined) return found
  }
  return undefined
}

/** By `export const resize` and the like. */
function isExportedHere(name: string, { program, scopes }: SourceFile): boolean {
  const at = scopes.topLevel(name)?.start
  return (
    at !== undefined &&
    program.body.some(
      (statement) =>
        statement.type === "ExportNamedDeclaration" &&
        statement.declaration !== null &&
        statement.start <= at &&
        at < statement.end,
    )
  )
}

export function nameOf(name: Node): string {
  if (name.type === "Identifier") return name.name
  return name.type === "Literal" ? String(name.value) : ""
}

function namespaceOf(source: SourceFile): Found {
  return { node: source.program, source, isNamespace: true }
}

async function fileOf(specifier: string, from: SourceFile): Promise<SourceFile | undefined> {
  const path = resolve(specifier, from.path)
  return path === undefined ? undefined : await readSourceFile(path).catch(() => undefined)
}

/** The file that an import in the file `from` means, or undefined for what is built in or not there. */
export function resolve(specifier: string, from: string): string | undefined {
  try {
    return Bun.resolveSync(specifier, dirname(from))
  } catch {
    return undefined
  }
}
