import { describe, expect, test } from "bun:test"
import { join } from "node:path"

const LOG = join(import.meta.dir, "../../server/log.ts")

/** What `log` writes for an event with the facts that `code` makes. */
function logged(code: string): string {
  const program = `import { log } from ${JSON.stringify(LOG)}; log("event", ${code})`
  return Bun.spawnSync([process.execPath, "-e", program]).stderr.toString()
}

describe("log()", () => {
  test("writes one line of JSON, whatever a name or a message holds", () => {
    const hostile = String.raw`"a\r\nb\u0000\u001b[2J\u007f\u009b31m\u2028\u2029\ud800"`
    const line = logged(`{ name: ${hostile}, list: [${hostile}] }`)
    expect(line).toMatch(/^[ -~]*\n$/)
    const { name } = JSON.parse(`{"name":${hostile}}`)
    expect(JSON.parse(line)).toMatchObject({ event: "event", name, list: [name] })
  })

  test("cuts what is long, and says how long it was", () => {
    const line = logged(`{ text: "x".repeat(1_000_000) }`)
    expect(line.length).toBeLessThan(9_000)
    expect(line).toContain("1000000 characters")
  })
})
