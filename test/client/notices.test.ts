import { expect, test } from "bun:test"
import { wantsQuiet } from "../../client/notices.ts"

test.each([
  ["1", true],
  ["true", true],
  ["", false],
  ["0", false],
  ["false", false],
  [undefined, false],
])("BUNHOUSE_QUIET=%p is quiet: %p", (value, expected) => {
  expect(wantsQuiet({ BUNHOUSE_QUIET: value })).toBe(expected)
})
