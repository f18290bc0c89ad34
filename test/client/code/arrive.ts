import { join } from "node:path"
import type { AnyFunction } from "../../../client/code/kind.ts"
import { programFolder } from "./sent.ts"

/** Writes the text of a module to a file and imports it, as an env does. */
export async function arrive(code: string): Promise<AnyFunction> {
  await using folder = await programFolder()
  const file = join(folder.path, "arrived.mjs")
  await Bun.write(file, code)
  const { default: f }: { default: AnyFunction } = await import(file)
  return f
}
