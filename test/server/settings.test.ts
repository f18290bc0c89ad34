import { describe, expect, test } from "bun:test"
import { OBJECTS_BYTES_MAX_DEFAULT } from "../../protocol/limits.ts"
import { readSettings } from "../../server/settings.ts"
import { refusal } from "../support/sent.ts"

function withRoom(given: string) {
  return readSettings({ BUNHOUSE_OBJECTS_BYTES_MAX: given })
}

describe("readSettings()", () => {
  test("takes options before variables, and these before defaults", () => {
    expect(readSettings({ BUNHOUSE_HOME: "/h" })).toMatchObject({
      home: "/h",
      host: "127.0.0.1",
      port: 7420,
      token: undefined,
    })
    const variables = { BUNHOUSE_HOST: "box", BUNHOUSE_PORT: "1", BUNHOUSE_TOKEN: "x".repeat(16) }
    expect(readSettings(variables)).toMatchObject({ host: "box", port: 1, token: "x".repeat(16) })
    const options = { host: "::1", port: "0" }
    expect(readSettings(variables, options)).toMatchObject({ host: "::1", port: 0 })
  })

  test("takes an empty variable for none", () => {
    const empty = { BUNHOUSE_HOST: "", BUNHOUSE_PORT: "", BUNHOUSE_TOKEN: "" }
    expect(readSettings(empty)).toMatchObject({ host: "127.0.0.1", port: 7420, token: undefined })
  })

  test.each([["-1"], ["65536"], ["1.5"], ["0x10"], ["http"], [" 1"], ["1e3"]])(
    "refuses the port %p",
    (port) => {
      refusal("INVALID_ARGUMENT", () => readSettings({ BUNHOUSE_PORT: port }))
    },
  )

  test("takes addresses with and without brackets, and further names to be known by", () => {
    for (const given of ["::1", "[::1]"]) {
      expect(readSettings({ BUNHOUSE_HOST: given }).host).toBe("::1")
    }
    const { hosts } = readSettings({ BUNHOUSE_HOSTS: " Functions.Example.com, [fe80::1],," })
    expect(hosts).toEqual(["functions.example.com", "[fe80::1]"])
    for (const given of ["a b", "a:80", "http://a", "[g]"]) {
      refusal("INVALID_ARGUMENT", () => readSettings({ BUNHOUSE_HOSTS: given }))
    }
    for (const given of ["http://a", "a/b", "[[::1]]", "a b"]) {
      refusal("INVALID_ARGUMENT", () => readSettings({ BUNHOUSE_HOST: given }))
    }
  })

  test("takes the room for objects in bytes, and refuses what is no number of them", () => {
    expect(withRoom("").objectsBytesMax).toBe(OBJECTS_BYTES_MAX_DEFAULT)
    expect(withRoom("1000").objectsBytesMax).toBe(1_000)
    for (const given of ["-1", "1.5", "1e9", "1 GiB", "99999999999999999"]) {
      refusal("INVALID_ARGUMENT", () => withRoom(given))
    }
  })

  test.each([["short"], ["with a space in it"], ["line\nbreak-0123456789"], ["x".repeat(513)]])(
    "refuses the token %p, and does not show it",
    (token) => {
      const error = refusal("INVALID_ARGUMENT", () => readSettings({ BUNHOUSE_TOKEN: token }))
      expect(error.message).not.toContain(token)
    },
  )
})
