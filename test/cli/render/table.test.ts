import { describe, expect, test } from "bun:test"
import { renderTable } from "../../../cli/render/table.ts"

const plain = (text: string) => text

describe("renderTable()", () => {
  test("aligns columns, numbers to the right, and leaves no blanks behind", () => {
    const text = renderTable(
      [
        { heading: "NAME", cells: ["a", "longer"] },
        { heading: "N", cells: ["1", "1000"], align: "right" },
        { heading: "WHY", cells: ["", "because"] },
      ],
      plain,
    )
    expect(text.split("\n").map((line) => line.trimEnd())).toEqual([
      "NAME       N  WHY",
      "a          1",
      "longer  1000  because",
    ])
  })

  test("counts columns of the screen, not code units", () => {
    const text = renderTable(
      [
        { heading: "A", cells: ["日本", "x"] },
        { heading: "B", cells: ["1", "2"] },
      ],
      plain,
    )
    expect(text).toBe("A     B\n日本  1\nx     2")
  })

  test("leaves out columns without a cell", () => {
    const columns = [
      { heading: "A", cells: ["x"] },
      { heading: "B", cells: [""] },
    ]
    expect(renderTable(columns, plain)).toBe("A\nx")
  })

  test("paints cells after they were padded", () => {
    const columns = [
      { heading: "A", cells: ["x", "long"], paint: (cell: string) => `<${cell}>` },
      { heading: "B", cells: ["1", "2"] },
    ]
    expect(renderTable(columns, (text) => `[${text}]`)).toBe("[A   ]  [B]\n<x   >  1\n<long>  2")
  })
})
