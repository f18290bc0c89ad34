import type { MapProgress } from "./map.ts"

/**
 * Draws how far a map is, on one line of stderr: `await f.map(items, { onProgress: progressBar("pages") }).toArray()`.
 * Draws nothing where stderr is no terminal; `out` is for another one.
 *
 *     pages  ███████████░░░░░░░░░  56%  5,600 of 10,000  2 failed  812/s  5 s left
 */
export function progressBar(label: string, out: BarOut = process.stderr): (p: MapProgress) => void {
  const startedAt = performance.now()
  let drawnAt = Number.NEGATIVE_INFINITY
  return (progress) => {
    const time = performance.now()
    if (!out.isTTY || (!progress.ended && time - drawnAt < DRAW_MS)) return
    drawnAt = time
    const line = barLine(label, progress, (time - startedAt) / 1000)
    // A line that is broken by the terminal's edge cannot be drawn over.
    const shown = line.slice(0, (out.columns ?? 80) - 1)
    out.write(`\r\u001b[K${shown}${progress.ended ? "\n" : ""}`)
  }
}

/** What a bar needs of the stream that it is drawn on. */
export interface BarOut {
  readonly isTTY: boolean
  readonly columns?: number
  write(text: string): unknown
}

function barLine(label: string, progress: MapProgress, seconds: number): string {
  const { done, failed, total } = progress
  const rate = done / Math.max(seconds, 0.001)
  const share = total === undefined || total === 0 ? undefined : Math.min(1, done / total)
  const parts = [
    label,
    ...(share === undefined ? [] : [bar(share), `${Math.floor(share * 100)}%`.padStart(4)]),
    total === undefined ? grouped(done) : `${grouped(done)} of ${grouped(total)}`,
    ...(failed === 0 ? [] : [`${grouped(failed)} failed`]),
    `${grouped(Math.round(rate))}/s`,
    timeText(progress, rate, seconds),
  ]
  return parts.join("  ")
}

function bar(share: number): string {
  const full = Math.round(share * BAR_WIDTH)
  return "█".repeat(full) + "░".repeat(BAR_WIDTH - full)
}

function timeText({ done, total, ended }: MapProgress, rate: number, seconds: number): string {
  if (ended || total === undefined || done === 0) return `${duration(seconds)} taken`
  return `${duration(Math.max(0, total - done) / rate)} left`
}

function duration(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${Math.ceil(seconds % 60)} s`
  return `${Math.floor(seconds / 3_600)} h ${Math.ceil((seconds % 3_600) / 60)} min`
}

function grouped(count: number): string {
  return count.toLocaleString("en-US")
}

const DRAW_MS = 100
const BAR_WIDTH = 20
