import { BunhouseError } from "../protocol/errors.ts"
import type { LoadedFunction } from "./run-call.ts"

/**
 * Imports the module at `path` and takes its default export. Rejects with DEPLOY_FAILED and what the module said.
 *
 * `index` makes each load a module of its own: the engine keeps a module that failed, and would never try it again.
 */
export async function loadFunction(
  name: string,
  path: string,
  index: number,
): Promise<LoadedFunction> {
  let module: unknown
  try {
    module = await import(`${path}?${index}`)
  } catch (cause) {
    const reason = Error.isError(cause) ? `${cause.name}: ${cause.message}` : String(cause)
    const place = placeOf(cause, path)
    throw new BunhouseError("DEPLOY_FAILED", `${name} cannot be loaded: ${reason}${place}`, {
      cause,
      function: name,
    })
  }
  if (typeof module === "object" && module !== null && "default" in module) {
    const call = module.default
    if (isFunction(call)) return { name, call }
  }
  throw new BunhouseError(
    "DEPLOY_FAILED",
    `${name} cannot be loaded: its module exports no function by default`,
  )
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

function isFunction(value: unknown): value is LoadedFunction["call"] {
  return typeof value === "function"
}
