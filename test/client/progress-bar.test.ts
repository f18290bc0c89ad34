import { describe, expect, test } from "bun:test"
import { progressBar } from "../../client/progress-bar.ts"

function screen(isTTY: boolean, columns = 120) {
  const written: string[] = []
  return { isTTY, columns, written, write: (text: string) => void written.push(text) }
}

describe("progressBar()", () => {
  test("draws over one line, and ends it in the end", () => {
    const out = screen(true)
    const draw = progressBar("pages", out)
    draw({ done: 5_000, failed: 0, total: 10_000, ended: false })
    draw({ done: 10_000, failed: 2, total: 10_000, ended: true })
    expect(out.written.length).toBe(2)
    expect(out.written[0]).toStartWith("\r\u001b[K")
    expect(out.written[0]?.slice(4)).toMatch(
      /^pages {2}█{10}░{10} {3}50% {2}5,000 of 10,000 {2}[\d,]+\/s {2}\d+ s left$/,
    )
    expect(out.written[1]).toMatch(/█{20} {2}100% {2}10,000 of 10,000 {2}2 failed .* s taken\n$/)
  })

  test("does not draw for every report", () => {
    const out = screen(true)
    const draw = progressBar("pages", out)
    for (let done = 1; done <= 1_000; done++)
      draw({ done, failed: 0, total: undefined, ended: false })
    expect(out.written.length).toBeLessThan(100)
  })

  test("counts where nobody knows how many there are", () => {
    const out = screen(true)
    progressBar("pages", out)({ done: 3, failed: 0, total: undefined, ended: true })
    expect(out.written.join()).toMatch(/pages {2}3 {2}/)
    expect(out.written.join()).not.toContain("%")
  })

  test("keeps to the width of the terminal", () => {
    const out = screen(true, 30)
    progressBar("pages", out)({ done: 1, failed: 0, total: 10, ended: false })
    expect(out.written.join().replace("\r\u001b[K", "").length).toBe(29)
  })

  test("draws nothing where there is no terminal", () => {
    const out = screen(false)
    progressBar("pages", out)({ done: 1, failed: 0, total: 1, ended: true })
    expect(out.written).toEqual([])
  })
})
