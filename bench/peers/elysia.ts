import { join } from "node:path"
import { startProgram } from "../program.ts"
import type { Peer } from "./peer.ts"

/** Elysia alone: a route written by hand, called by `fetch`, whose connections are kept. */
export async function startElysia(): Promise<Peer> {
  const service = await startProgram(
    [process.execPath, join(import.meta.dir, "elysia-service.ts")],
    /^(\d+)$/m,
  )
  const url = `http://127.0.0.1:${service.matched}/echo`
  return {
    async call(i) {
      const response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ x: i }),
      })
      if (!Bun.deepEquals(await response.json(), { x: i })) throw new Error("a wrong reply")
    },
    [Symbol.asyncDispose]: () => service.stop(),
  }
}
