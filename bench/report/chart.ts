import { scaleLinear, scaleLog } from "d3-scale"
import { line } from "d3-shape"

/** Charts as SVG text: they open offline, in a page or by themselves. */
export interface Series {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

export interface Axes {
  readonly title: string
  readonly x: { readonly label: string; readonly isLog?: boolean }
  readonly y: { readonly label: string; readonly isLog?: boolean }
}

/** Lines over a numeric axis. */
export function lineChart({ title, x, y }: Axes, series: readonly Series[]): string {
  const points = series.flatMap((one) => one.points)
  const toX = scale(
    points.map(([value]) => value),
    [LEFT, WIDTH - RIGHT],
    x.isLog === true,
  )
  const toY = scale(
    points.map(([, value]) => value),
    [HEIGHT - BOTTOM, TOP],
    y.isLog === true,
  )
  const path = line<readonly [number, number]>(
    ([value]) => toX(value),
    ([, value]) => toY(value),
  )
  const xTicks = ticksOf(toX).map((tick) => {
    const at = toX(tick)
    return `<line class="grid" x1="${at}" x2="${at}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/>${text(at, HEIGHT - BOTTOM + 18, show(tick), "middle")}`
  })
  const yTicks = ticksOf(toY).map((tick) => {
    const at = toY(tick)
    return `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}"/>${text(LEFT - 8, at + 4, show(tick), "end")}`
  })
  const lines = series.map(({ name, points: own }, i) => {
    const dots =
      own.length > DOTS_MAX
        ? ""
        : own
            .map(
              ([a, b]) =>
                `<circle cx="${toX(a)}" cy="${toY(b)}" r="3" fill="${color(i)}"><title>${escapeText(name)}: ${show(a)}, ${show(b)}</title></circle>`,
            )
            .join("")
    return `<path d="${path(own) ?? ""}" fill="none" stroke="${color(i)}" stroke-width="2"/>${dots}`
  })
  const legend = series.map(({ name }, i) => legendEntry(name, i))
  return svg(title, [
    ...xTicks,
    ...yTicks,
    ...lines,
    ...legend,
    text(WIDTH - RIGHT, HEIGHT - 6, x.label, "end"),
    text(LEFT, TOP - 10, y.label, "start"),
  ])
}

/** Parts on top of each other, one bar for each entry. */
export function stackChart(
  title: string,
  unit: string,
  bars: readonly {
    readonly name: string
    readonly parts: readonly { readonly name: string; readonly value: number }[]
  }[],
): string {
  const names = [...new Set(bars.flatMap(({ parts }) => parts.map(({ name }) => name)))]
  const totals = bars.map(({ parts }) => parts.reduce((sum, { value }) => sum + value, 0))
  const toX = scaleLinear()
    .domain([0, Math.max(...totals)])
    .range([BAR_LEFT, WIDTH - RIGHT - TOTAL_WIDTH])
  const step = (HEIGHT - TOP - BOTTOM) / bars.length
  const rows = bars.map(({ name, parts }, row) => {
    const y = TOP + row * step
    let from = 0
    const rects = parts.map(({ name: part, value }) => {
      const [left, right] = [toX(from), toX(from + value)]
      from += value
      const label = `${part}: ${show(value)} ${unit}`
      return `<rect x="${left}" y="${y}" width="${Math.max(0, right - left)}" height="${step * 0.7}" fill="${color(names.indexOf(part))}"><title>${escapeText(label)}</title></rect>`
    })
    const total = `${show(from)} ${unit}`
    return `${text(BAR_LEFT - 8, y + step * 0.45, name, "end")}${rects.join("")}${text(toX(from) + 8, y + step * 0.45, total, "start")}`
  })
  return svg(title, [...rows, ...names.map(legendEntry)])
}

/** When each of some calls ran. */
export function timeline(
  title: string,
  spans: readonly { readonly startMs: number; readonly endMs: number }[],
): string {
  const sorted = spans.toSorted((a, b) => a.endMs - b.endMs)
  const endMs = Math.max(...sorted.map((span) => span.endMs), 1)
  const toX = scaleLinear()
    .domain([0, endMs])
    .nice()
    .range([LEFT, WIDTH - RIGHT])
  const step = (HEIGHT - TOP - BOTTOM) / Math.max(1, sorted.length)
  const bars = sorted.map(
    (span, i) =>
      `<rect x="${toX(span.startMs)}" y="${TOP + i * step}" width="${Math.max(1, toX(span.endMs) - toX(span.startMs))}" height="${Math.max(0.5, step * 0.8)}" fill="${color(0)}"/>`,
  )
  const ticks = toX
    .ticks(6)
    .map((tick) => text(toX(tick), HEIGHT - BOTTOM + 18, show(tick), "middle"))
  return svg(title, [...bars, ...ticks, text(WIDTH - RIGHT, HEIGHT - 6, "ms", "end")])
}

export function escapeText(raw: string): string {
  return raw.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;")
}

function scale(values: readonly number[], range: [number, number], isLog: boolean) {
  const [min, max] = [Math.min(...values), Math.max(...values)]
  if (isLog)
    return scaleLog()
      .domain([Math.max(min, 1e-9), max])
      .range(range)
  return scaleLinear().domain([0, max]).nice().range(range)
}

/** A logarithmic axis offers ten ticks a decade; the powers are enough. */
function ticksOf(axis: ReturnType<typeof scale>): number[] {
  const ticks = axis.ticks(6)
  const powers = ticks.filter((tick) => Number.isInteger(Math.log10(tick)))
  return "base" in axis && powers.length > 1 ? powers : ticks
}

function legendEntry(name: string, i: number): string {
  const y = TOP + 4 + i * 18
  return `<rect x="${LEGEND_LEFT}" y="${y}" width="12" height="12" fill="${color(i)}"/>${text(LEGEND_LEFT + 18, y + 10, name, "start")}`
}

function text(x: number, y: number, content: string, anchor: "start" | "middle" | "end"): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}">${escapeText(content)}</text>`
}

function svg(title: string, content: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH + LEGEND_WIDTH} ${HEIGHT}" role="img" aria-label="${escapeText(title)}">`,
    "<style>text{font:12px system-ui,sans-serif;fill:#333}.grid{stroke:#e5e5e5}.title{font-size:15px;font-weight:600}</style>",
    `<rect width="${WIDTH + LEGEND_WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text class="title" x="${LEFT}" y="20">${escapeText(title)}</text>`,
    ...content,
    "</svg>",
  ].join("\n")
}

function show(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString("en")
}

function color(i: number): string {
  return COLORS[i % COLORS.length] ?? "#000"
}

// Paul Tol's bright scheme: told apart also by people who do not see all colours.
const COLORS = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb"]
const WIDTH = 640
const HEIGHT = 340
const LEGEND_WIDTH = 240
const LEGEND_LEFT = WIDTH
const TOP = 52
const BOTTOM = 44
const LEFT = 76
const RIGHT = 24
const BAR_LEFT = 190
const TOTAL_WIDTH = 100
const DOTS_MAX = 30
