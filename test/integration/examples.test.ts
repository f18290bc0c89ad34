import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { runExample } from "../support/example.ts"
import { type Stack, startStack } from "../support/stack.ts"

/** Examples that show what classes and modules do, run as their readers would. */
let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(() => stack[Symbol.asyncDispose]())

async function run(example: string): Promise<string[]> {
  const { stdout } = await runExample(stack, example)
  return stdout.split("\n").flatMap((line) => line.trim().replaceAll(/\s+/g, " ") || [])
}

describe("examples/", () => {
  test("class-state.ts keeps state in one place, and says when it is gone", async () => {
    expect(await run("class-state.ts")).toEqual([
      "visits of /home: 1",
      "in a process: 2 of 2",
      "and here again: 3 of 3",
      "thrown there: nobody unvisits a page",
      "primes to 1,000: 168 (blocking)",
      "primes to 5,000: 669 (awaited)",
      "after a restart: STATE_LOST",
      "a fresh one: 1",
    ])
  })

  test("cancel.ts stops what nobody wants any more, whatever it does", async () => {
    expect(await run("cancel.ts")).toEqual([
      "cancelled: CANCELLED",
      "the same function, on another thread: 178",
      "too late: DEADLINE_EXCEEDED",
      "cancelled: CANCELLED",
      "what it left: put in order",
      "the job: cancelled",
    ])
  })

  test("travel.ts brings along what its functions need, or says what cannot travel", async () => {
    const lines = await run("travel.ts")
    expect(lines[0]).toEndWith(", where 2, words 2, there 1, they 1")
    const text = lines.join(" ")
    expect(text).toContain("hello Ada and hello stranger")
    expect(text).toContain("runs (")
    expect(text).toContain("examples/travel.ts:")
  })

  test("deploy-watch.ts runs what was saved last and works", async () => {
    expect(await run("deploy-watch.ts")).toEqual([
      "hello Ada",
      "good evening, Ada",
      "FUNCTION_NOT_SENDABLE good evening, Ada",
      "ADA",
    ])
  })

  test("library.ts sends lodash whole and in parts", async () => {
    const lines = (await run("library.ts")).join(" ")
    expect(lines).toStartWith("sendAnyFunction 6 [ [ 1, 2 ], [ 3, 4 ], [ 5 ] ] ")
    expect(lines).toContain('"2": [ "to", "be", "or", "to", "be" ]')
  })

  test("module-exports.ts calls functions and classes of one module", async () => {
    const lines = (await run("module-exports.ts")).join(" ")
    expect(lines).toContain("jobs: 1 2 ")
    expect(lines).toContain("resize: 1600 (blocking) 4096 (awaited)")
    expect(lines).toContain("tiles: 0 256 512 about: image jobs 1.0")
    expect(lines).toContain('[ "2 jobs", "first", "second" ]')
    expect(lines).toEndWith("found: image-jobs.resize 6")
  })
})
