import { type FunctionNode, type Node, isFunction, memberName, withoutTypes } from "./parse.ts"
import type { Scopes } from "./scope.ts"

/**
 * The function that an argument stands for: written in place, declared in the file, or kept in an object literal or
 * as a static method of a class of the file.
 *
 * Undefined for a name whose function this file does not show (an import, a parameter, a global), and for an
 * expression that says nothing, such as a call.
 */
export function functionOf(argument: Node | undefined, scopes: Scopes): FunctionNode | undefined {
  const value = valueOf(argument, scopes, 0)
  return value !== undefined && isFunction(value) ? value : undefined
}

// Names that stand for names that stand for names: nobody goes on like this for long.
const STEPS_MAX = 8

function valueOf(node: Node | undefined, scopes: Scopes, steps: number): Node | undefined {
  if (node === undefined || steps > STEPS_MAX) return undefined
  const inner = withoutTypes(node)
  if (inner.type === "Identifier") return namedValue(inner, scopes, steps)
  if (inner.type !== "MemberExpression") return inner
  if (inner.computed || inner.property.type !== "Identifier") return undefined
  const object = valueOf(inner.object, scopes, steps + 1)
  if (object === undefined) return undefined
  return valueOf(memberOf(object, inner.property.name), scopes, steps + 1)
}

function namedValue(name: Node, scopes: Scopes, steps: number): Node | undefined {
  const declaration = scopes.declarationOf(name.start)
  switch (declaration?.kind) {
    case "function":
    case "class":
      return declaration.node
    case "constant":
    case "variable": {
      const { node } = declaration
      // A part of a pattern has no value of its own in the text. A variable may have been given another value since,
      // but then the texts differ, and what was found is refused.
      if (node.type !== "VariableDeclarator" || node.id.type !== "Identifier") return undefined
      return node.init === null ? undefined : valueOf(node.init, scopes, steps + 1)
    }
    default:
      return undefined
  }
}

function memberOf(object: Node, name: string): Node | undefined {
  if (object.type === "ObjectExpression") {
    for (const property of object.properties) {
      if (property.type !== "Property" || property.kind !== "init") continue
      if (memberName(property) === name) return property.value
    }
  }
  if (object.type === "ClassDeclaration" || object.type === "ClassExpression") {
    for (const member of object.body.body) {
      if (member.type !== "MethodDefinition" || !member.static || member.kind !== "method") continue
      if (memberName(member) === name) return member.value
    }
  }
  return undefined
}
