import { BunhouseError } from "./errors.ts"
import { Fields } from "./fields.ts"
import { MEMBERS_MAX } from "./limits.ts"

/**
 * The methods of a class, as far as callers must know: their names and how each is called.
 *
 * Invariant:
 * T1. A name that could turn a handle into something else (a promise, another prototype) is never a member.
 */

const MEMBER_KINDS = ["async", "sync", "asyncGenerator", "syncGenerator"] as const
export type MemberKind = (typeof MEMBER_KINDS)[number]

/** Whether the result is a stream of items. */
export function isGeneratorKind(kind: string): boolean {
  return kind === "asyncGenerator" || kind === "syncGenerator"
}

/** A method of a class. */
export interface Member {
  readonly name: string
  readonly kind: MemberKind
  /** True for a method of the class itself. */
  readonly isStatic: boolean
}

/** Whether a member may have this name; T1. */
export function isMemberName(name: string): boolean {
  return !RESERVED.has(name)
}

// `async` and `sync` are what a handle has itself; `then` would make it a promise.
const RESERVED: ReadonlySet<string> = new Set([
  "constructor",
  "__proto__",
  "prototype",
  "then",
  "async",
  "sync",
])

/** Reads the members of a class from a wire. Throws INVALID_ARGUMENT. */
export function readMembers(list: readonly unknown[]): Member[] {
  checkLength("the members of a class", list)
  return list.map((item) => {
    const fields = new Fields("a member of a class", item)
    const name = readName(fields)
    const member: Member = {
      name,
      kind: fields.oneOf("kind", MEMBER_KINDS),
      isStatic: fields.flag("isStatic"),
    }
    return member
  })
}

function readName(fields: Fields): string {
  const name = fields.text("name")
  if (isMemberName(name)) return name
  throw new BunhouseError("INVALID_ARGUMENT", `a member cannot be called ${JSON.stringify(name)}`)
}

/** Throws INVALID_ARGUMENT over MEMBERS_MAX. */
export function checkLength(what: string, list: readonly unknown[]): void {
  if (list.length <= MEMBERS_MAX) return
  throw new BunhouseError(
    "INVALID_ARGUMENT",
    `expected at most ${MEMBERS_MAX} of ${what}, got ${list.length}`,
  )
}
