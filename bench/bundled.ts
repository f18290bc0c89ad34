import { sep } from "node:path"
import { syncEchoed } from "./workload.ts"

const LENGTH = 1

/** As `echoed`, by way of an import, of another file and of a constant. */
export async function bundledEchoed(x: number): Promise<number> {
  if (sep.length !== LENGTH) throw new Error("a separator is one character")
  return syncEchoed(x)
}
