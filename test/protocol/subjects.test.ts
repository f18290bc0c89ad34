import { describe, expect, test } from "bun:test"
import { envPermissions, envSubjects, inboxPrefix } from "../../protocol/subjects.ts"

const NAMES = ["default", "a.b", "*", ">", "a b", "😀", "__proto__", "p-a", "$SYS", "é".repeat(100)]

/** What NATS makes of a subject with wildcards. */
function matches(pattern: string, subject: string): boolean {
  const wanted = pattern.split(".")
  const given = subject.split(".")
  for (const [index, token] of wanted.entries()) {
    if (token === ">") return given.length > index
    if (token !== "*" && token !== given[index]) return false
  }
  return wanted.length === given.length
}

function may(list: readonly string[], subject: string): boolean {
  return list.some((pattern) => matches(pattern, subject))
}

describe("envSubjects()", () => {
  test.each(NAMES)("%p makes subjects of plain tokens only", (name) => {
    for (const subject of Object.values(envSubjects("space1", name, "inc1"))) {
      const tokens = subject.split(".")
      for (const token of tokens) expect(token).toMatch(/^[a-z0-9_-]+$/)
      expect(tokens[0]).toBe("bunhouse")
      expect(tokens[1]).toBe("space1")
    }
  })

  test("are different for every purpose, env, incarnation and daemon", () => {
    const all = ["space1", "space2"].flatMap((space) =>
      NAMES.flatMap((name) =>
        ["inc1", "inc2"].flatMap((incarnation) => {
          const { calls, control, answers } = envSubjects(space, name, incarnation)
          return [calls, control, answers]
        }),
      ),
    )
    expect(new Set(all).size).toBe(all.length)
    // An incarnation is one life of one env, so what it publishes needs no name.
    const { replies, nested } = envSubjects("space1", "a", "inc1")
    const next = envSubjects("space1", "a", "inc2")
    expect(new Set([...all, replies, nested, next.replies, next.nested]).size).toBe(all.length + 4)
  })
})

describe("envPermissions()", () => {
  const { publish, subscribe } = envPermissions("space1")

  test.each(NAMES)("let %p hear its calls, send its replies, and make calls", (name) => {
    const { calls, control, replies, nested, answers } = envSubjects("space1", name, "inc1")
    for (const subject of [calls, control, `${answers}.1`]) {
      expect([subject, may(subscribe, subject)]).toEqual([subject, true])
    }
    for (const subject of [replies, `${nested}.1`]) {
      expect([subject, may(publish, subject)]).toEqual([subject, true])
    }
    expect(may(publish, `${inboxPrefix("space1")}.abc.1`)).toBe(true)
  })

  test("let nobody speak as the daemon, listen to replies, or reach another space", () => {
    const own = envSubjects("space1", "a", "inc1")
    const other = envSubjects("space2", "a", "inc1")
    const daemons = [own.calls, own.control, `${own.answers}.1`, other.replies, `${other.nested}.1`]
    for (const subject of [...daemons, `${inboxPrefix("space2")}.x`]) {
      expect([subject, may(publish, subject)]).toEqual([subject, false])
    }
    const secret = [
      own.replies,
      `${own.nested}.1`,
      `${other.answers}.1`,
      other.calls,
      `${inboxPrefix("space1")}.x`,
      "$SYS.REQ.x",
      "_INBOX.x",
      "$JS.API.x",
    ]
    for (const subject of secret)
      expect([subject, may(subscribe, subject)]).toEqual([subject, false])
    for (const subject of ["$SYS.REQ.x", "_INBOX.x", "$JS.API.x", ">", "bunhouse.>"]) {
      expect([subject, may(publish, subject)]).toEqual([subject, false])
    }
  })
})
