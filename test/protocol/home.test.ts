import { describe, expect, test } from "bun:test"
import { homedir } from "node:os"
import { join, resolve } from "node:path"
import { homePaths, homeRoot } from "../../protocol/home.ts"

describe("homeRoot()", () => {
  test("is BUNHOUSE_HOME, made absolute, else a folder in the user's home", () => {
    expect(homeRoot({ BUNHOUSE_HOME: "/srv/bunhouse" })).toBe("/srv/bunhouse")
    expect(homeRoot({ BUNHOUSE_HOME: "state/../here" })).toBe(resolve("here"))
    expect(homeRoot({})).toBe(join(homedir(), ".bunhouse"))
    expect(homeRoot({ BUNHOUSE_HOME: "" })).toBe(join(homedir(), ".bunhouse"))
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
