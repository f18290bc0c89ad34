import { programPath } from "../protocol/root.ts"

/**
 * Takes this library's own frames off the end of a thrown error's stack: they say nothing to the author of the function.
 * An error that does not let itself be changed keeps its stack.
 */
export function trimStack(thrown: unknown): void {
  try {
    if (!Error.isError(thrown) || typeof thrown.stack !== "string") return
    const lines = thrown.stack.split("\n")
    const own = lines.findIndex((line) => line.includes(OWN_FOLDER))
    if (own === -1) return
    const isRunner = lines[own - 1]?.includes("(node:async_hooks:") ?? false
    thrown.stack = lines.slice(0, isRunner ? own - 1 : own).join("\n")
  } catch {
    // Frozen, or a stack that is a getter.
  }
}

const OWN_FOLDER = programPath("envs/")
