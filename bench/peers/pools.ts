import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { Piscina } from "piscina"
import { Tinypool } from "tinypool"
import type { Peer } from "./peer.ts"

const OPTIONS = {
  filename: fileURLToPath(new URL("./echo.js", import.meta.url)),
  minThreads: availableParallelism(),
  maxThreads: availableParallelism(),
  // Without it each worker waits for the next task after each task: by far the slower setting for small tasks.
  concurrentTasksPerWorker: 64,
}

/** Threads of this very process: no daemon, no network. */
export function startPiscina(): Peer {
  const pool = new Piscina(OPTIONS)
  return {
    call: async (i) => verify(i, await pool.run(i)),
    [Symbol.asyncDispose]: () => pool.destroy(),
  }
}

export function startTinypool(): Peer {
  const pool = new Tinypool(OPTIONS)
  return {
    call: async (i) => verify(i, await pool.run(i)),
    [Symbol.asyncDispose]: () => pool.destroy(),
  }
}

function verify(i: number, reply: unknown): void {
  if (reply !== i) throw new Error("a wrong reply")
}
