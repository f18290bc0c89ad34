import { describe, expect, test } from "bun:test"
import {
  exportInfo,
  type FunctionInfo,
  moduleVersion,
  readExports,
  readFunctionInfo,
  readFunctionSpec,
  readModuleSpec,
} from "../../protocol/function-spec.ts"
import { MEMBERS_MAX } from "../../protocol/limits.ts"
import { isMemberName, readMembers } from "../../protocol/members.ts"
import { refusal } from "../support/sent.ts"

const MEMBER = { name: "add", kind: "async", isStatic: false } as const
const CLASS = { kind: "class", run: "loop", code: "export default class {}", members: [MEMBER] }

describe("readMembers()", () => {
  test("reads what was written", () => {
    expect(readMembers([MEMBER])).toEqual([MEMBER])
  })

  test.each([
    [{ ...MEMBER, name: "then" }],
    [{ ...MEMBER, name: "constructor" }],
    [{ ...MEMBER, name: "__proto__" }],
    [{ ...MEMBER, kind: "eager" }],
    [{ ...MEMBER, isStatic: 1 }],
    [null],
  ])("refuses %j", (member) => void refusal("INVALID_ARGUMENT", () => readMembers([member])))

  test("refuses one over the limit, and not at the limit", () => {
    const many = Array.from({ length: MEMBERS_MAX }, () => MEMBER)
    expect(readMembers(many)).toHaveLength(MEMBERS_MAX)
    refusal("INVALID_ARGUMENT", () => readMembers([...many, MEMBER]))
  })
})

describe("isMemberName()", () => {
  test("is false for names that would make a handle something else (T1)", () => {
    expect(["then", "__proto__", "constructor", "async", "sync"].filter(isMemberName)).toEqual([])
    expect(["get", "release", "toString", "", "a b"].every(isMemberName)).toBe(true)
  })
})

describe("the record of a class or a module", () => {
  test("is read as it was written", () => {
    const spec: unknown = readFunctionSpec("ml", "C", CLASS)
    expect(spec).toEqual({ ...CLASS, env: "ml", name: "C" })
    const { code: _, ...facts } = CLASS
    const info = { ...facts, env: "ml", name: "m.C", version: "1", export: "C" }
    const read: unknown = readFunctionInfo(info)
    expect(read).toEqual(info)
    refusal("INVALID_ARGUMENT", () => readFunctionSpec("ml", "C", { ...CLASS, members: undefined }))
    refusal("INVALID_ARGUMENT", () => readFunctionSpec("ml", "C", { ...CLASS, kind: "module" }))
  })

  test("has its code and nothing else when it is sent as a module", () => {
    const spec = readModuleSpec("ml", "jobs", { code: "1" })
    expect(spec).toEqual({ env: "ml", name: "jobs", code: "1" })
    expect(moduleVersion(spec)).toMatch(/^[0-9a-f]{16}$/)
    for (const input of [{}, { code: 1 }, { code: "1", kind: "module" }]) {
      refusal("INVALID_ARGUMENT", () => readModuleSpec("ml", "jobs", input))
    }
    refusal("INVALID_ARGUMENT", () => readModuleSpec("ml", "a/b", { code: "1" }))
  })
})

describe("readExports()", () => {
  const exports = [
    { name: "resize", kind: "sync", run: "thread" },
    { name: "C", kind: "class", run: "loop", members: [MEMBER] },
    { name: "LIMIT", kind: "value" },
    { name: "steps", kind: "refused", reason: "it is a generator" },
  ]

  test("reads what was written; functions and classes are in the env under names of their own", () => {
    const read = readExports(exports)
    const shown: unknown = read
    expect(shown).toEqual(exports)
    const module: FunctionInfo = {
      env: "ml",
      name: "jobs",
      kind: "module",
      run: "loop",
      version: "1",
      exports: read,
    }
    const [resize, type, value, steps] = read.map((exported) => exportInfo(module, exported))
    expect(resize).toMatchObject({ name: "jobs.resize", export: "resize", run: "thread" })
    expect(type).toMatchObject({ name: "jobs.C", kind: "class", version: "1", members: [MEMBER] })
    expect([value, steps]).toEqual([undefined, undefined])
  })

  test.each([
    [{ name: "f", kind: "async" }],
    [{ name: "C", kind: "class", run: "loop" }],
    [{ name: "v", kind: "module" }],
    [{ name: "g", kind: "refused" }],
    [{ kind: "value" }],
  ])("refuses %j", (exported) => void refusal("INVALID_ARGUMENT", () => readExports([exported])))
})
