import { expect, test } from "bun:test"
import { join } from "node:path"
import { GLOBALS, isGlobal } from "../../../client/code/globals.ts"
import { programFolder } from "./sent.ts"

const PROGRAM = `
  const names = new Set()
  for (let o = globalThis; o !== null; o = Object.getPrototypeOf(o)) {
    for (const name of Object.getOwnPropertyNames(o)) names.add(name)
  }
  const said = JSON.stringify([...names].sort())
  if (Bun.isMainThread) console.log(said)
  else postMessage(said)
`

test("GLOBALS are the names of a bare bun process: after an update of Bun, add and drop what is listed here", async () => {
  await using folder = await programFolder()
  const file = join(folder.path, "names.js")
  await Bun.write(file, PROGRAM)
  const bare = Bun.spawn([process.execPath, file], { cwd: folder.path, env: {}, stdout: "pipe" })
  const names: string[] = JSON.parse(await bare.stdout.text())
  expect({
    add: names.filter((name) => !GLOBALS.has(name)),
    drop: [...GLOBALS].filter((name) => !names.includes(name)),
  }).toEqual({ add: [], drop: [] })
})

test("GLOBALS are the names of a thread, too", async () => {
  await using folder = await programFolder()
  const file = join(folder.path, "names.js")
  await Bun.write(file, PROGRAM)
  const worker = new Worker(file)
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  worker.addEventListener("message", ({ data }) => resolve(String(data)))
  worker.addEventListener("error", ({ message }) => reject(new Error(message)))
  try {
    const names: string[] = JSON.parse(await promise)
    expect([...GLOBALS].filter((name) => !names.includes(name))).toEqual([])
  } finally {
    worker.terminate()
  }
})

test("isGlobal() knows neither what modules get, nor what test runners add, nor what browsers have", () => {
  for (const name of ["fetch", "Bun", "undefined", "hasOwnProperty"])
    expect(isGlobal(name)).toBe(true)
  for (const name of [
    "require",
    "module",
    "__dirname",
    "expect",
    "window",
    "document",
    "",
    "name",
  ]) {
    expect(isGlobal(name)).toBe(false)
  }
})
