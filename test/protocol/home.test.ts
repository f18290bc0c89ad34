import { describe, expect, test } from "bun:test"
import { homedir } from "node:os"
import { join, resolve } from "node:path"
import { refusal } from "../support/sent.ts"
import { homePaths, homeRoot, readHost } from "../../protocol/home.ts"

describe("homeRoot()", () => {
  test("is BUNHOUSE_HOME, made absolute, else a folder in the user's home", () => {
    expect(homeRoot({ BUNHOUSE_HOME: "/srv/bunhouse" })).toBe("/srv/bunhouse")
    expect(homeRoot({ BUNHOUSE_HOME: "state/../here" })).toBe(resolve("here"))
    expect(homeRoot({})).toBe(join(homedir(), ".bunhouse"))
    expect(homeRoot({ BUNHOUSE_HOME: "" })).toBe(join(homedir(), ".bunhouse"))
  })
})

describe("readHost()", () => {
  test.each([["localhost"], ["my-host.example"], ["127.0.0.1"], ["0.0.0.0"], ["::1"], ["::"]])(
    "takes %p",
    (host) => {
      expect(readHost("--host", host)).toBe(host)
    },
  )

  test("takes an address in brackets without them", () => {
    expect(readHost("--host", "[::1]")).toBe("::1")
  })

  test.each([
    [""],
    [" "],
    ["a b"],
    ["[[::1]]"],
    ["a/b"],
    ["a@b"],
    ["127.0.0.1:80"],
    ["999.1.1.1"],
    ["http://a"],
  ])("refuses %p by the name of the option", (host) => {
    const error = refusal("INVALID_ARGUMENT", () => readHost("--host", host))
    expect(error.message).toContain("--host")
  })
})

describe("homePaths()", () => {
  test("stand inside of the home, each in its own place", () => {
    const { root, ...inside } = homePaths("/srv/bunhouse")
    expect(root).toBe("/srv/bunhouse")
    for (const path of Object.values(inside)) expect(path).toStartWith("/srv/bunhouse/")
    expect(new Set(Object.values(inside)).size).toBe(Object.keys(inside).length)
  })
})
