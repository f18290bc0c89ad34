import { describe, expect, test } from "bun:test"
import {
  isConcreteClass,
  membersOf,
  ownMethodsOf,
  placeOfMembers,
} from "../../../client/code/members.ts"
import { MEMBERS_MAX } from "../../../protocol/limits.ts"
import type { Member, MemberKind } from "../../../protocol/members.ts"
import { refusal } from "../../support/sent.ts"

const names = (type: new () => object, isStatic = false) =>
  membersOf(type)
    .filter((member) => member.isStatic === isStatic)
    .map(({ name, kind }) => `${kind} ${name}`)

describe("membersOf()", () => {
  class Base {
    plain(): number {
      return 1
    }
    async both(): Promise<void> {}
    static of(): Base {
      return new Base()
    }
  }
  class Derived extends Base {
    field = () => 1
    static limit = 1
    static Inner = Map
    static arrow = async () => 1
    #hidden(): void {}
    get value(): number {
      this.#hidden()
      return 1
    }
    async own(): Promise<void> {}
    *steps(): Generator<number> {
      yield 1
    }
    async *stream(): AsyncGenerator<number> {
      yield 1
    }
    "a b"(): void {}
    [Symbol.iterator](): Iterator<number> {
      return this.steps()
    }
  }

  test("lists methods with their kinds, base classes included, and nothing else", () => {
    expect(names(Derived)).toEqual([
      "async own",
      "syncGenerator steps",
      "asyncGenerator stream",
      "sync a b",
      "sync plain",
      "async both",
    ])
    expect(names(Derived, true)).toEqual(["async arrow", "sync of"])
  })

  test("takes the nearest of several methods of a name", () => {
    class Nearer extends Base {
      override async both(): Promise<void> {}
      // @ts-expect-error -- another kind than the base's
      async plain(): Promise<number> {
        return 2
      }
    }
    expect(names(Nearer).toSorted()).toEqual(["async both", "async plain"])
  })

  test("lists what a built-in base brings along", () => {
    expect(names(class extends Map {})).toContain("sync set")
  })

  test.each(["then", "async", "sync", "prototype"])("refuses a method called %s", (name) => {
    for (const isStatic of name === "prototype" ? [false] : [false, true]) {
      const type = classWith({ name, isStatic })
      const { message } = refusal("FUNCTION_NOT_SENDABLE", () => membersOf(type))
      expect(message).toContain(`its method ${name} `)
    }
  })

  test("refuses one method over the limit, and not at the limit", () => {
    const many = Array.from({ length: MEMBERS_MAX }, (_, i) => ({ name: `m${i}` }))
    expect(membersOf(classWith(...many))).toHaveLength(MEMBERS_MAX)
    refusal("FUNCTION_NOT_SENDABLE", () => membersOf(classWith(...many, { name: "more" })))
  })
})

describe("ownMethodsOf()", () => {
  test("lists functions that an object has as fields, without those of reserved names", () => {
    const object = { n: 1, save: async () => {}, constructor: () => {}, sync: () => {} }
    expect(ownMethodsOf(object)).toEqual([{ name: "save", kind: "async", isStatic: false }])
  })
})

describe("placeOfMembers()", () => {
  test("is the loop when all methods are async, static ones included", () => {
    expect(placeOfMembers([])).toBe("loop")
    expect(placeOfMembers([memberOf("async"), memberOf("asyncGenerator")])).toBe("loop")
    expect(placeOfMembers([memberOf("async"), memberOf("sync")])).toBe("thread")
    expect(placeOfMembers([memberOf("syncGenerator")])).toBe("thread")
  })
})

describe("isConcreteClass()", () => {
  test("is true for classes only", () => {
    const type = classWith()
    expect(isConcreteClass(type)).toBe(true)
    const others = [() => 1, parseInt, Map, new Proxy(type, {}), 1, null]
    expect(others.filter(isConcreteClass)).toEqual([])
  })
})

function memberOf(kind: MemberKind): Member {
  return { name: "m", kind, isStatic: true }
}

/** A class with methods of any names. */
function classWith(...methods: { readonly name: string; readonly isStatic?: boolean }[]) {
  const type = class Any {
    readonly #one = 1
    get one(): number {
      return this.#one
    }
  }
  for (const { name, isStatic } of methods) {
    Object.defineProperty(isStatic ? type : type.prototype, name, { value: () => 1 })
  }
  return type
}
