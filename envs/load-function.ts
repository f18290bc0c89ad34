import { isConcreteClass } from "../client/code/members.ts"
import type { LoadedAs } from "../protocol/env-control.ts"
import { BunhouseError } from "../protocol/errors.ts"
import { describeModule, moduleShell } from "./instances/module-shell.ts"
import { instanceShell, staticsShell } from "./instances/shell.ts"
import type { LoadedFunction } from "./run-call.ts"

/**
 * Imports the module at `path` and takes what `source` says from it. Rejects with DEPLOY_FAILED and what the module
 * said.
 *
 * A function that was sent by itself has a module of its own each time it is loaded. All that is loaded of one module or
 * class shares one copy of it in this process or thread.
 */
export async function loadFunction(source: Source, index: number): Promise<LoadedFunction> {
  const { name, path, as } = source
  const version = versionOf(path)
  const isShared = as !== "function" || source.export !== "default"
  const module = await importing(name, path, () => {
    return isShared ? sharedModule(path, index) : importModule(path, index)
  })
  if (as === "module") {
    return { name, version, call: moduleShell(name, module), answer: describeModule(name, module) }
  }
  const exported: unknown = Reflect.get(module, source.export)
  if (as === "function") {
    if (isFunction(exported)) return { name, version, call: exported }
    throw failed(name, `its module exports no function ${byName(source.export)}`)
  }
  if (!isConcreteClass(exported)) {
    throw failed(name, `its module exports no class ${byName(source.export)}`)
  }
  const shell = as === "statics" ? staticsShell : instanceShell
  return { name, version, call: shell(name, exported) }
}

/** The daemon names the file of a code after its version. */
export function versionOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1).replace(/\.mjs$/, "")
}

export interface Source extends LoadedAs {
  readonly name: string
  readonly path: string
}

/**
 * Where top-level code threw, as far as its source map tells the author's file: ` (/app/jobs.ts:3:7)`. The file in the
 * env's own folder would say nothing.
 */
function placeOf(thrown: unknown, path: string): string {
  if (!Error.isError(thrown) || typeof thrown.stack !== "string") return ""
  const [, place = ""] = /^\s+at (?:.*\()?(\/[^()]*:\d+:\d+)\)?$/m.exec(thrown.stack) ?? []
  return place === "" || place.startsWith(path) ? "" : ` (${place})`
}

/** Top-level code may await for ever; whoever loads it must not. */
export function loadTooSlow(name: string, timeoutMs: number): BunhouseError {
  const message = `${name} cannot be loaded: its top-level code did not end within ${timeoutMs} ms`
  return new BunhouseError("DEPLOY_FAILED", message, { function: name })
}

async function importing(name: string, path: string, load: () => Promise<object>): Promise<object> {
  try {
    return await load()
  } catch (cause) {
    const reason = Error.isError(cause) ? `${cause.name}: ${cause.message}` : String(cause)
    throw failed(name, `${reason}${placeOf(cause, path)}`, cause)
  }
}

const shared = new Map<string, Promise<object>>()

function sharedModule(path: string, index: number): Promise<object> {
  const known = shared.get(path)
  if (known !== undefined) return known
  const loading = importModule(path, index)
  shared.set(path, loading)
  loading.catch(() => shared.delete(path))
  return loading
}

/** The engine keeps a module that failed, and would never try it again: each import here is of a name of its own. */
function importModule(path: string, index: number): Promise<object> {
  return import(`${path}?${index}`)
}

function byName(exported: string): string {
  return exported === "default" ? "by default" : `named ${JSON.stringify(exported)}`
}

function failed(name: string, reason: string, cause?: unknown): BunhouseError {
  return new BunhouseError("DEPLOY_FAILED", `${name} cannot be loaded: ${reason}`, {
    function: name,
    ...(cause !== undefined && { cause }),
  })
}

function isFunction(value: unknown): value is LoadedFunction["call"] {
  return typeof value === "function"
}
