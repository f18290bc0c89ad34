import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import {
  appendFileSync,
  mkdirSync,
  renameSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs"
import { OBJECT_PART_BYTES_MAX } from "../../protocol/limits.ts"
import { caught } from "../support/caught.ts"
import { type TemporaryFolder, temporaryFolder } from "../support/folder.ts"
import { type Stack, startStack } from "../support/stack.ts"

/** What is put by `Bun.file(…)`, which knows less of its file than it seems to. */
let stack: Stack
let folder: TemporaryFolder
beforeAll(async () => void (stack = await startStack()))
afterAll(() => stack[Symbol.asyncDispose]())
beforeEach(() => void (folder = temporaryFolder()))
afterEach(() => folder[Symbol.dispose]())

async function refused(blob: Blob): Promise<string> {
  const error = await caught(stack.here.objects.put(blob, { name: "refused" }))
  expect(error).toMatchObject({ code: "INVALID_ARGUMENT", ran: "no" })
  expect(await stack.here.objects.keys()).toEqual([])
  return error.message
}

/** A file of `size` bytes that is changed by `change` right before its last part is read. */
function changedWhileRead(path: string, size: number, change: () => void): Blob {
  writeFileSync(path, new Uint8Array(size).fill(1))
  utimesSync(path, 1, 1)
  const file = Bun.file(path)
  let reads = 0
  const slice = (begin: number, end: number) => {
    if (++reads === Math.ceil(size / OBJECT_PART_BYTES_MAX)) change()
    return Bun.file(path).slice(begin, end)
  }
  return Object.defineProperty(file, "slice", { value: slice })
}

describe("objects.put(Bun.file(…)) refuses, naming it,", () => {
  test("what is not there, also a part of it", async () => {
    for (const file of [Bun.file(folder.join("none")), Bun.file(folder.join("none")).slice(1, 4)]) {
      expect(await refused(file)).toContain(
        `${JSON.stringify(folder.join("none"))} cannot be put: ENOENT`,
      )
    }
  })

  test("what was not there when its size was asked for", async () => {
    const file = Bun.file(folder.join("late"))
    expect(file.size).toBe(0)
    writeFileSync(folder.join("late"), "12345")
    expect(await refused(file)).toContain("changed since its size was asked for")
  })

  test("what has grown since its size was asked for", async () => {
    const path = folder.join("grown")
    writeFileSync(path, "12345")
    utimesSync(path, 1, 1)
    const file = Bun.file(path)
    expect(file.size).toBe(5)
    appendFileSync(path, "67890")
    expect(await refused(file)).toContain("changed since its size was asked for")
    const ref = await stack.here.objects.put(Bun.file(path))
    expect(Buffer.from(await stack.here.objects.get(ref)).toString()).toBe("1234567890")
  })

  test("a folder", async () => {
    mkdirSync(folder.join("folder"))
    expect(await refused(Bun.file(folder.join("folder")))).toContain(
      `folder" cannot be put: it is no file`,
    )
  })

  test("what says no size", async () => {
    const status = Bun.file("/proc/self/status")
    for (const file of [status, Bun.file("/dev/null")]) {
      expect(await refused(file)).toContain(
        `${JSON.stringify(file.name)} cannot be put: it does not say its size`,
      )
    }
    const ref = await stack.here.objects.put(Bun.file("/proc/self/status").stream())
    expect(ref.bytes).toBeGreaterThan(100)
  })

  const sizes = [
    ["one part", 1_000],
    ["two parts", OBJECT_PART_BYTES_MAX + 1_000],
  ] as const
  test.each(sizes)("what is changed while its %s are read", async (_what, size) => {
    const path = folder.join("changing")
    const changes: [change: () => void, said: RegExp][] = [
      [
        () => truncateSync(path, size - 1),
        new RegExp(`it has ${size - 1} bytes where ${size} were`),
      ],
      [() => appendFileSync(path, "more"), /changed while it was read/],
      [() => writeFileSync(path, new Uint8Array(size).fill(2)), /changed while it was read/],
      [
        () => {
          writeFileSync(folder.join("other"), new Uint8Array(size).fill(2))
          utimesSync(folder.join("other"), 1, 1)
          renameSync(folder.join("other"), path)
        },
        /changed while it was read/,
      ],
    ]
    for (const [change, said] of changes) {
      expect(await refused(changedWhileRead(path, size, change))).toMatch(said)
    }
  })
})

test("objects.put() takes a part of a file, an empty one, one by its descriptor, and a Blob that is none", async () => {
  const { objects } = stack.here
  writeFileSync(folder.join("file"), "0123456789")
  writeFileSync(folder.join("empty"), "")
  const { openSync, closeSync } = await import("node:fs")
  const descriptor = openSync(folder.join("file"), "r")
  try {
    const blobs: [blob: Blob, text: string][] = [
      [Bun.file(folder.join("file")).slice(2, 5), "234"],
      [Bun.file(folder.join("empty")), ""],
      [Bun.file(descriptor), "0123456789"],
      [new File(["abc"], "name"), "abc"],
      [new Blob([]), ""],
    ]
    for (const [blob, text] of blobs) {
      const ref = await objects.put(blob)
      expect(Buffer.from(await objects.get(ref)).toString()).toBe(text)
    }
  } finally {
    closeSync(descriptor)
  }
})
