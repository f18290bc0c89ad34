import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { existsSync, readdirSync } from "node:fs"
import { Served as Heard } from "../../envs/served.ts"
import type { ServeRequest } from "../../protocol/env-control.ts"
import { Served } from "../../server/envs/served.ts"
import { type TemporaryFolder, temporaryFolder } from "../support/folder.ts"

/** Both ends; what the daemon says is heard when a test hands it on. */
let folder: TemporaryFolder
let said: ServeRequest[]
let served: Served
let heard: Heard
beforeEach(() => {
  folder = temporaryFolder()
  said = []
  served = new Served(folder.path, "i1", (request) => void said.push(request))
  heard = new Heard(served.path)
})
afterEach(() => folder[Symbol.dispose]())

function hear(): void {
  for (const request of said.splice(0)) heard.heard(request)
}

describe("what is served from a process", () => {
  test("counts once it was heard, and not any more from the moment on in which it changes (SV1)", () => {
    expect(heard.indexOf("f")).toBeUndefined()
    served.serves("f", 7)
    expect(heard.indexOf("f")).toBeUndefined()
    hear()
    expect([heard.indexOf("f"), heard.indexOf("g")]).toEqual([7, undefined])
    served.serves("f", 8)
    expect(heard.indexOf("f")).toBeUndefined()
    hear()
    expect(heard.indexOf("f")).toBe(8)
    served.serves("f", undefined)
    expect(heard.indexOf("f")).toBeUndefined()
    hear()
    expect(heard.indexOf("f")).toBeUndefined()
  })

  test("does not count while something else changes, of which it may not know", () => {
    served.serves("f", 7)
    served.serves("g", 1)
    hear()
    served.serves("g", 2)
    expect(heard.indexOf("f")).toBeUndefined()
    hear()
    expect([heard.indexOf("f"), heard.indexOf("g")]).toEqual([7, 2])
  })

  test("does not count after something was missed, until it was told anew (SV2, SV3)", () => {
    served.serves("f", 7)
    hear()
    served.serves("f", 8)
    said.length = 0 // lost on the way
    served.serves("g", 1)
    hear()
    expect([heard.indexOf("f"), heard.indexOf("g")]).toEqual([undefined, undefined])
    served.lost()
    served.beginAnew()
    served.serves("f", 8)
    hear()
    expect([heard.indexOf("f"), heard.indexOf("g")]).toEqual([8, undefined])
  })

  test("does not count while the process cannot be reached", () => {
    served.serves("f", 7)
    hear()
    served.lost()
    hear()
    expect(heard.indexOf("f")).toBeUndefined()
  })

  test("is nothing after its end, whatever else is said", () => {
    served.serves("f", 7)
    hear()
    served.end()
    expect(heard.indexOf("f")).toBeUndefined()
    served.serves("f", 8)
    served.beginAnew()
    expect(said).toEqual([])
    expect(heard.indexOf("f")).toBeUndefined()
  })

  test("begins without a word where there was none before", () => {
    served.beginAnew()
    expect(said).toEqual([])
    served.serves("f", 7)
    hear()
    expect(heard.indexOf("f")).toBe(7)
  })

  test("tells the daemon how many calls stay in the process", () => {
    expect(served.ownCalls).toBe(0)
    heard.count(3, 0)
    expect(served.ownCalls).toBe(3)
  })

  test("leaves threads to either side, and whoever comes second hears when one is free", () => {
    expect(heard.hasThread(0)).toBe(false)
    served.limitThreads(2)
    expect([heard.hasThread(1), heard.hasThread(2)]).toEqual([true, false])
    heard.count(1, 1)
    expect(served.leavesThread(2)).toBe(true)
    expect(heard.takeThreadsWanted()).toBe(false)
    expect(served.leavesThread(1)).toBe(false)
    // What waits in the daemon comes first.
    expect(heard.hasThread(1)).toBe(false)
    heard.count(0, 0)
    expect(heard.takeThreadsWanted()).toBe(true)
    expect(heard.takeThreadsWanted()).toBe(false)
    expect([heard.hasThread(1), served.leavesThread(1)]).toEqual([true, true])
  })

  test("needs no file once both have it, and leaves none", () => {
    expect(existsSync(served.path ?? "")).toBe(true)
    served.removeFile()
    served.removeFile()
    expect(readdirSync(folder.path)).toEqual([])
    served.serves("f", 7)
    hear()
    expect(heard.indexOf("f")).toBe(7)
  })

  test("is nothing where memory cannot be shared", () => {
    const nowhere = new Served(`${folder.path}/nowhere`, "i1", (request) => void said.push(request))
    expect(nowhere.path).toBeUndefined()
    nowhere.serves("f", 7)
    nowhere.end()
    expect([said, nowhere.ownCalls]).toEqual([[], 0])
    const deaf = new Heard(undefined)
    deaf.heard({ op: "serve", edition: 1, name: "f", index: 7 })
    expect(deaf.indexOf("f")).toBeUndefined()
  })
})
