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
    throw new BunhouseError("DEPLOY_FAILED", `${name} cannot be loaded: ${reason}`, {
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

/** Top-level code may await for ever; whoever loads it must not. */
export function loadTooSlow(name: string, timeoutMs: number): BunhouseError {
  const message = `${name} cannot be loaded: its top-level code did not end within ${timeoutMs} ms`
  return new BunhouseError("DEPLOY_FAILED", message, { function: name })
}

function isFunction(value: unknown): value is LoadedFunction["call"] {
  return typeof value === "function"
}
