import { BunhouseError } from "../../protocol/errors.ts"
import { MEMBERS_MAX } from "../../protocol/limits.ts"
import type { ModuleExport } from "../../protocol/function-spec.ts"
import types from "node:util/types"
import { isConcreteClass, membersOf, placeOfMembers } from "../../client/code/members.ts"
import { Refusal } from "./refusal.ts"

/** What a module exports. Throws DEPLOY_FAILED where that is nothing, or too much. */
export function describeModule(name: string, module: object): ModuleExport[] {
  const exports = Object.entries(module)
  if (exports.length > 0 && exports.length <= MEMBERS_MAX) {
    return exports.map(([key, value]) => describeExport(key, value))
  }
  const message = `the module ${name} has ${exports.length} exports, expected 1 to ${MEMBERS_MAX}`
  throw new BunhouseError("DEPLOY_FAILED", message, { function: name })
}

/** What a call of the module itself reaches: `[export, "value"]` answers a value that it exports. */
export function moduleShell(name: string, module: object): (...args: unknown[]) => unknown {
  return (...args) => {
    const [key, op] = args
    if (op === "value" && typeof key === "string" && Object.hasOwn(module, key)) {
      return Reflect.get(module, key)
    }
    const message = `${name} is a module: call a function that it exports, as ${name}.<export>, or [export, "value"] for a value`
    throw new Refusal(new BunhouseError("INVALID_ARGUMENT", message))
  }
}

function describeExport(name: string, value: unknown): ModuleExport {
  if (typeof value !== "function") return { name, kind: "value" }
  if (types.isGeneratorFunction(value)) {
    // An async generator is an async function to the engine as well.
    return types.isAsyncFunction(value)
      ? { name, kind: "asyncGenerator", run: "loop" }
      : { name, kind: "syncGenerator", run: "thread" }
  }
  if (!isConcreteClass(value)) {
    return types.isAsyncFunction(value)
      ? { name, kind: "async", run: "loop" }
      : { name, kind: "sync", run: "thread" }
  }
  try {
    const members = membersOf(value)
    return { name, kind: "class", run: placeOfMembers(members), members }
  } catch (error) {
    return { name, kind: "refused", reason: error instanceof Error ? error.message : String(error) }
  }
}
