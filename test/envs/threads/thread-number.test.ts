import { expect, test } from "bun:test"
import { readlinkSync } from "node:fs"
import { ownThreadNumber } from "../../../envs/threads/thread-number.ts"

test.if(process.platform === "linux")(
  "a thread knows the number that the system has for it",
  async () => {
    expect(readlinkSync("/proc/thread-self")).toEndWith(`/task/${ownThreadNumber()}`)
    const path = JSON.stringify(import.meta.resolve("../../../envs/threads/thread-number.ts"))
    const script = `
    import { readlinkSync } from "node:fs"
    import { ownThreadNumber } from ${path}
    postMessage([ownThreadNumber(), readlinkSync("/proc/thread-self")])`
    const worker = new Worker(URL.createObjectURL(new Blob([script])))
    const [number, link] = await new Promise<[number, string]>((resolve, reject) => {
      worker.addEventListener("message", ({ data }) => resolve(data))
      worker.addEventListener("error", ({ message }) => reject(new Error(message)))
    })
    worker.terminate()
    expect(link).toEndWith(`/task/${number}`)
    expect(number).not.toBe(ownThreadNumber())
  },
)
