import { describe, expect, test } from "bun:test"
import { Refusal } from "../../../envs/instances/refusal.ts"
import { instanceShell, staticsShell } from "../../../envs/instances/shell.ts"

class Box {
  static count = 0
  content: unknown
  readonly fixed = 1
  own = (x: number) => x + 1
  constructor(content?: unknown) {
    if (content === "bad") throw new RangeError("bad content")
    Box.count++
    this.content = content
  }
  put(content: unknown): unknown {
    this.content = content
    return content
  }
  get size(): number {
    return String(this.content).length
  }
  *steps(): Generator<number> {
    yield 1
  }
  static make(): string {
    return "made"
  }
}

/** The code with which a shell refuses; fails when it does not. */
function codeOf(work: () => unknown): string {
  return refusalOf(work).code
}

function messageOf(work: () => unknown): string {
  return refusalOf(work).message
}

function refusalOf(work: () => unknown): Refusal["error"] {
  try {
    work()
  } catch (error) {
    if (error instanceof Refusal) return error.error
    throw error
  }
  throw new Error("expected a refusal")
}

const made = (...args: unknown[]) => {
  const shell = instanceShell("Box/1", Box)
  shell(...args, "new")
  return shell
}

describe("instanceShell()", () => {
  test("constructs once, and says which methods the object has as fields", () => {
    const shell = instanceShell("Box/1", Box)
    const own = [{ name: "own", kind: "sync", isStatic: false }]
    const before = Box.count
    expect(shell(5, "ensure")).toEqual(own)
    expect(shell(6, "ensure")).toEqual(own)
    expect(shell("check")).toEqual(own)
    expect(codeOf(() => shell(7, "new"))).toBe("INVALID_ARGUMENT")
    expect(shell("content", "get")).toBe(5)
    expect(Box.count).toBe(before + 1)
  })

  test("calls, reads and writes what the class has", () => {
    const shell = made("a")
    expect(shell("abc", "put", "call")).toBe("abc")
    expect(shell("size", "get")).toBe(3)
    expect(shell(4, "own", "call")).toBe(5)
    shell("de", "content", "set")
    expect(shell("content", "get")).toBe("de")
    expect(shell("nothing", "get")).toBeUndefined()
  })

  test("answers nothing before it is constructed, and goes on after a constructor that threw", () => {
    const shell = instanceShell("Box/1", Box)
    expect(() => shell("bad", "ensure")).toThrow(RangeError)
    for (const args of [["check"], [1, "put", "call"], ["content", "get"], [1, "content", "set"]]) {
      expect(codeOf(() => shell(...args))).toBe("NOT_FOUND")
    }
    shell("good", "ensure")
    expect(shell("discard")).toBe(false)
    expect(shell("content", "get")).toBe("good")
  })

  test("holds no other object once it is discarded or released (O1)", () => {
    const discarded = instanceShell("Box/1", Box)
    expect(discarded("discard")).toBe(true)
    const released = made(1)
    released("dispose")
    for (const shell of [discarded, released]) {
      for (const args of [["new"], ["ensure"], ["check"], [1, "put", "call"]]) {
        expect(codeOf(() => shell(...args))).toBe("STATE_LOST")
      }
      expect(shell("dispose")).toBeUndefined()
    }
  })

  test.each([
    ["constructor", "call"],
    ["__proto__", "get"],
    [{}, "__proto__", "set"],
    ["toString", "call"],
    ["hasOwnProperty", "get"],
    ["then", "call"],
    ["size", "call"],
    ["missing", "call"],
    [1, "call"],
    [undefined, "get"],
  ])("reaches nothing of all objects: %p (O2)", (...args) => {
    expect(codeOf(() => made()(...args))).toBe("NOT_FOUND")
    expect(Reflect.get({}, "polluted")).toBeUndefined()
  })

  test("calls a generator, for who takes its items", () => {
    const shell = made()
    expect(shell("steps", "call")).toHaveProperty("next")
  })

  test.each([[["put", "get"]], [[1, "put", "set"]], [["eval"]], [[]]])("refuses %p", (args) =>
    expect(codeOf(() => made()(...args))).toBe("INVALID_ARGUMENT"),
  )

  test("refuses to write what is read-only", () => {
    const frozen = instanceShell(
      "F/1",
      class {
        constructor() {
          Object.freeze(this)
        }
        get one(): number {
          return 1
        }
      },
    )
    frozen("new")
    for (const field of ["one", "more"]) {
      expect(codeOf(() => frozen(1, field, "set"))).toBe("INVALID_ARGUMENT")
    }
  })

  test("lets the object dispose of itself once, async before sync", async () => {
    const done: string[] = []
    class Both {
      async [Symbol.asyncDispose](): Promise<void> {
        done.push("async")
      }
      [Symbol.dispose](): void {
        done.push("sync")
      }
    }
    const shell = instanceShell("Both/1", Both)
    shell("new")
    await shell("dispose")
    await shell("dispose")
    expect(done).toEqual(["async"])
  })
})

describe("staticsShell()", () => {
  test("reaches static members only", () => {
    const shell = staticsShell("Box", Box)
    expect(shell("make", "call")).toBe("made")
    expect(shell("count", "get")).toBe(Box.count)
    for (const args of [
      ["put", "call"],
      ["prototype", "get"],
      ["constructor", "call"],
    ]) {
      expect(codeOf(() => shell(...args))).toBe("NOT_FOUND")
    }
    expect(codeOf(() => shell("new"))).toBe("INVALID_ARGUMENT")
    expect(messageOf(() => shell(1))).toBe(
      `Box is a class: use getClass(…), or end its arguments with a method's name and "call", or a field's and "get"; got a value of type number`,
    )
  })
})
