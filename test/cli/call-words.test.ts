import { describe, expect, test } from "bun:test"
import { argsFromWords } from "../../cli/call-words.ts"

describe("argsFromWords()", () => {
  test.each<[string[], unknown[]]>([
    [[], []],
    [
      ["1", "true", "null", "Ada"],
      [1, true, null, "Ada"],
    ],
    [
      ['"2"', "007", "-1.5", ""],
      ["2", "007", -1.5, ""],
    ],
    [['{"a": [1]}'], [{ a: [1] }]],
    [["[1, 2]"], [1, 2]],
    [["[]"], []],
    [["[[1, 2]]"], [[1, 2]]],
    [
      ["[1, 2]", "3"],
      [[1, 2], 3],
    ],
    [["[1"], ["[1"]],
    [["undefined"], ["undefined"]],
  ])("of %j is %j", (words, args) => {
    expect(argsFromWords(words)).toEqual(args)
  })
})
