import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { ERROR_CODES } from "../../protocol/errors.ts"

const text = await Bun.file(join(import.meta.dir, "../../docs/errors.md")).text()
const rows = new Map(
  [...text.matchAll(/^\| `(\w+)`\s*\| (\d+)\s*\| (\d+)\s*\| (\w+)\s*\|/gm)].map(
    ([, code = "", status, exit, ran]) => [
      code,
      { status: Number(status), ran, exit: Number(exit) },
    ],
  ),
)

describe("docs/errors.md", () => {
  test("has exactly the codes of the table, with status, exit code and ran", () => {
    expect(Object.fromEntries(rows)).toEqual(ERROR_CODES)
  })
})
