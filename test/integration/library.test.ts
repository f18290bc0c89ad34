import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import * as lodash from "lodash-es"
import { type UntypedFunction, fn, module, type RemoteModule } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { type Stack, startStack } from "../support/stack.ts"

/** A large library that nobody wrote for this: whole, and function by function. */
let stack: Stack
let whole: RemoteModule<Library>
beforeAll(async () => {
  stack = await startStack()
  whole = await module<Library>(import.meta.resolve("lodash-es"), { name: "lodash" }).to(stack.here)
})
afterAll(() => stack[Symbol.asyncDispose]())

type Library = Record<string, UntypedFunction>

const NESTED = { a: [{ b: { c: 3 } }], d: new Date(0), e: new Map([["f", new Set([1n])]]) }
const USERS = [
  { name: "Ada", born: 1815, tags: ["math"] },
  { name: "Grace", born: 1906, tags: ["navy", "code"] },
  { name: "Alan", born: 1912, tags: ["math", "code"] },
]

/** Of its own text in its file: it can be sent by itself. */
const SENDABLE: readonly (readonly [name: keyof typeof lodash, ...args: unknown[]])[] = [
  ["chunk", [1, 2, 3, 4, 5], 2],
  ["compact", [0, 1, false, 2, "", 3]],
  ["concat", [1], 2, [3], [[4]]],
  ["drop", [1, 2, 3], 2],
  ["dropRight", [1, 2, 3], 2],
  ["fill", [1, 2, 3], "*", 1],
  ["findIndex", USERS, { name: "Grace" }],
  ["flatten", [1, [2, [3, [4]], 5]]],
  ["flattenDeep", [1, [2, [3, [4]], 5]]],
  ["flattenDepth", [1, [2, [3, [4]], 5]], 2],
  [
    "fromPairs",
    [
      ["a", 1],
      ["b", 2],
    ],
  ],
  ["head", [1, 2]],
  ["indexOf", [1, 2, 1, 2], 2, 2],
  ["initial", [1, 2, 3]],
  ["nth", ["a", "b", "c"], -2],
  ["sortedIndexBy", [{ x: 4 }, { x: 5 }], { x: 4 }, "x"],
  ["sortedUniq", [1, 1, 2]],
  ["takeRight", [1, 2, 3], 2],
  ["uniq", [2, 1, 2]],
  ["uniqBy", [{ x: 1 }, { x: 2 }, { x: 1 }], "x"],
  [
    "unzip",
    [
      ["a", 1],
      ["b", 2],
    ],
  ],
  ["zipObjectDeep", ["a.b[0].c", "a.b[1].d"], [1, 2]],
  ["every", USERS, "name"],
  ["filter", USERS, ["born", 1912]],
  ["includes", { a: 1, b: 2 }, 1],
  ["map", USERS, "name"],
  ["orderBy", USERS, ["name"], ["desc"]],
  ["reject", USERS, { name: "Ada" }],
  ["size", { a: 1, b: 2 }],
  ["some", USERS, ["name", "Alan"]],
  ["cloneDeep", NESTED],
  ["isEqual", NESTED, structuredClone(NESTED)],
  ["isEmpty", {}],
  ["isPlainObject", { a: 1 }],
  ["toPath", "a[0].b.c"],
  ["get", NESTED, "a[0].b.c"],
  ["get", NESTED, "a[0].none", "otherwise"],
  ["has", NESTED, "a[0].b"],
  ["set", { a: [{ b: 1 }] }, "a[0].b", 4],
  ["unset", { a: [{ b: 7 }] }, "a[0].b"],
  ["findKey", { x: { on: false }, y: { on: true } }, "on"],
  ["mapValues", { a: { n: 1 }, b: { n: 2 } }, "n"],
  ["pickBy", { a: 1, b: 0 }],
  ["clamp", -10, -5, 5],
  ["inRange", 3, 2, 4],
  ["capitalize", "FRED"],
  ["deburr", "déjà vu"],
  ["escape", "fred, barney, & pebbles"],
  ["padStart", "abc", 6, "_-"],
  ["repeat", "ab", 3],
  ["truncate", "hi-diddly-ho there, neighborino", { length: 24, separator: " " }],
  ["words", "fred, barney, & pebbles"],
  ["sum", [4, 2, 8, 6]],
  ["meanBy", USERS, "born"],
  ["maxBy", USERS, "born"],
]

/** Made by other functions of the library, which only the whole of it brings along. */
const MADE: typeof SENDABLE = [
  ["groupBy", USERS, "tags.length"],
  ["keyBy", USERS, "name"],
  ["countBy", ["one", "two", "three"], "length"],
  ["partition", USERS, { born: 1912 }],
  ["sortBy", USERS, ["born"]],
  ["difference", [2, 1], [2, 3]],
  ["union", [2], [1, 2]],
  ["zip", ["a", "b"], [1, 2]],
  ["pick", NESTED, ["a", "d"]],
  ["omit", { a: 1, b: 2 }, ["a"]],
  ["merge", { a: [{ b: 2 }] }, { a: [{ c: 3 }] }],
  ["camelCase", "--foo-bar--"],
  ["kebabCase", "fooBar"],
  ["round", 4.006, 2],
  ["range", 1, 5],
]

const local = (name: string): UntypedFunction => Reflect.get(lodash, name)

function expected(name: string, args: readonly unknown[]): unknown {
  const value: unknown = local(name)(...structuredClone(args))
  return value
}

describe("lodash as a module", () => {
  test.each([...SENDABLE, ...MADE])("gives the results of its %s", async (name, ...args) => {
    expect(await whole[name]?.async(...args)).toEqual(expected(name, args))
  })

  test("brings all its functions", () => {
    const functions = Object.keys(lodash).filter((name) => typeof local(name) === "function")
    expect(functions.length).toBeGreaterThan(300)
    expect(Object.keys(whole)).toEqual(expect.arrayContaining(functions))
  })
})

describe("functions of lodash, sent one by one,", () => {
  test("give the results that they give here", async () => {
    const env = stack.here.env("single")
    for (const [name, ...args] of SENDABLE) {
      const remote = await fn(local(name), { name }).to(env)
      expect([name, await remote.async(...args)]).toEqual([name, expected(name, args)])
    }
  }, 60_000)

  test("are refused where another function made them, and travel with a function that uses them", async () => {
    const refusal = await caught(fn(lodash.groupBy, { name: "groupBy" }).to(stack.here))
    expect(refusal).toMatchObject({ code: "FUNCTION_NOT_SENDABLE" })
    expect(refusal.message).toContain("initializer (")
    const byTags = await fn((users: typeof USERS) => lodash.groupBy(users, "tags.length"), {
      name: "byTags",
    }).to(stack.here)
    expect(await byTags.async(USERS)).toEqual(lodash.groupBy(USERS, "tags.length"))
  })
})
