import type { Histogram } from "hdr-histogram-js"
import type { Line } from "../judge.ts"
import { median } from "../load.ts"
import type { Taken } from "../run.ts"
import { CURVE } from "../scenarios/in-flight.ts"
import { besideOthers, WAYS_OUT } from "../scenarios/others.ts"
import { IN_FLIGHT, LAYERS, processorTimeOf, WAYS } from "../scenarios/processor-time.ts"
import { escapeText, lineChart, type Series, stackChart, timeline } from "./chart.ts"

export interface Run {
  readonly facts: Readonly<Record<string, string | number>>
  readonly lines: readonly Line[]
  readonly taken: ReadonlyMap<string, Taken>
}

/** One page without anything from outside: figures, verdicts, plots. The plots are written beside it as SVG as well. */
export async function writeReport(path: string, run: Run): Promise<void> {
  const plots = plotsOf(run)
  await Bun.write(path, page(run, Object.values(plots)))
  const stem = path.replace(/\.html$/, "")
  for (const [name, plot] of Object.entries(plots)) await Bun.write(`${stem}-${name}.svg`, plot)
}

function plotsOf({ taken }: Run): Record<string, string> {
  const middle = (name: string) => median(taken.get(name)?.values ?? [])
  const curve = (name: string): Series => ({
    name,
    points: CURVE.map((flights): [number, number] => [
      flights,
      middle(`curve: ${name}, ${flights} in flight`),
    ]).filter(([, value]) => Number.isFinite(value)),
  })
  const webSocket = middle("bare WebSocket echo, p50")
  const nats = middle("bare nats.request(), p50")
  const awaited = middle("awaited call, p50")
  return {
    throughput: lineChart(
      {
        title: "Throughput against calls in flight",
        x: { label: "calls in flight", isLog: true },
        y: { label: "calls/s" },
      },
      CURVES.map(curve),
    ),
    others: stackChart(
      "The same echo by other ways, 256 in flight",
      "calls/s",
      WAYS_OUT.map((name) => ({
        name,
        parts: [{ name: "calls/s", value: middle(besideOthers(name)) }],
      })),
    ),
    "latency-in-flight": lineChart(
      {
        title: "Latency against calls in flight",
        x: { label: "calls in flight", isLog: true },
        y: { label: "microseconds", isLog: true },
      },
      CURVES.flatMap((name) => [50, 99].map((quantile) => latencyCurve(taken, name, quantile))),
    ),
    latency: lineChart(
      {
        title: "Latency of one call at a time",
        x: { label: "microseconds", isLog: true },
        y: { label: "share of calls, %" },
      },
      cdfs(taken),
    ),
    layers: stackChart("What an awaited call costs, p50", "µs", [
      {
        name: "the bare hops",
        parts: [
          { name: "WebSocket echo", value: webSocket },
          { name: "nats.request()", value: nats },
        ],
      },
      {
        name: "bunhouse",
        parts: [
          { name: "WebSocket echo", value: webSocket },
          { name: "nats.request()", value: nats },
          { name: "bunhouse's own", value: Math.max(0, awaited - webSocket - nats) },
        ],
      },
    ]),
    processor: processorStack(taken, 1, "one at a time"),
    "processor-in-flight": processorStack(taken, IN_FLIGHT, `${IN_FLIGHT} in flight`),
    ...timelines(taken),
  }
}

const CURVES = ["awaited calls", "sync calls", "bare nats.request()"]

/** Of the last round. */
function latencyCurve(taken: ReadonlyMap<string, Taken>, name: string, quantile: number): Series {
  const points = CURVE.flatMap((flights): [number, number][] => {
    const { latencies } = taken.get(`curve: ${name}, ${flights} in flight`) ?? {}
    return latencies === undefined ? [] : [[flights, latencies.getValueAtPercentile(quantile)]]
  })
  return { name: `${name}, p${quantile}`, points }
}

/** What each process spends on a call. */
function processorStack(taken: ReadonlyMap<string, Taken>, flights: number, when: string): string {
  const bars = WAYS.map((name) => ({
    name,
    parts: LAYERS.flatMap((layer) => {
      const entry = taken.get(processorTimeOf(name, flights, layer))
      return entry === undefined ? [] : [{ name: layer, value: median(entry.values) }]
    }),
  }))
  return stackChart(`Processor time of a call, ${when}`, "µs", bars)
}

/** Of as many ways to make a call as there are colours. */
function cdfs(taken: ReadonlyMap<string, Taken>): Series[] {
  return CDFS.flatMap((name) => {
    const latencies = taken.get(`${name}, p50`)?.latencies
    return latencies === undefined ? [] : [{ name, points: cdf(latencies) }]
  })
}

const CDFS = [
  "awaited call",
  "bare WebSocket echo",
  "bare nats.request()",
  "blocking call by resident thread",
  "blocking call by spawnSync",
  "bun spawn with one HTTP call",
  "synckit",
]

function cdf(latencies: Histogram): [number, number][] {
  return QUANTILES.map((quantile) => [latencies.getValueAtPercentile(quantile), quantile])
}

const QUANTILES = [1, ...Array.from({ length: 19 }, (_, i) => (i + 1) * 5), 97, 99, 99.9]

function timelines(taken: ReadonlyMap<string, Taken>): Record<string, string> {
  const plots: Record<string, string> = {}
  for (const { figure, spans } of taken.values()) {
    if (spans === undefined) continue
    const key = figure.name.replaceAll(/[^a-z0-9]+/gi, "-")
    plots[key] = timeline(`${figure.name}: when each of ${spans.length} ran`, spans)
  }
  return plots
}

function page({ facts, lines }: Run, plots: readonly string[]): string {
  const rows = lines.map(
    ({ name, value, unit, min, max, goal = "", verdict = "", change }) =>
      `<tr class="${verdict}">${[name, value, unit, `${show(min)} … ${show(max)}`, goal, verdict, change?.verdict ?? ""].map(cell).join("")}</tr>`,
  )
  const about = Object.entries(facts).map(([name, value]) => `<dt>${name}</dt>${data(value)}`)
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>bunhouse bench</title><style>${STYLE}</style></head>
<body><h1>bunhouse bench</h1><dl>${about.join("")}</dl>
${plots.map((plot) => `<figure>${plot}</figure>`).join("\n")}
<table><thead><tr>${["figure", "median", "unit", "min … max", "goal", "verdict", "baseline"].map((name) => `<th>${name}</th>`).join("")}</tr></thead>
<tbody>${rows.join("\n")}</tbody></table></body></html>
`
}

function cell(value: string | number): string {
  const isNumber = typeof value === "number"
  return `<td${isNumber ? ' class="n"' : ""}>${escapeText(isNumber ? show(value) : value)}</td>`
}

function show(value: number): string {
  return value.toLocaleString("en", { maximumFractionDigits: Math.abs(value) < 1_000 ? 2 : 0 })
}

function data(value: string | number): string {
  return `<dd>${escapeText(String(value))}</dd>`
}

const STYLE = `
body{font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;width:100%}td,th{padding:.3rem .6rem;border-bottom:1px solid #eee;text-align:left}
.n{text-align:right;font-variant-numeric:tabular-nums}.met td:nth-child(6){color:#228833}.missed td:nth-child(6){color:#c33}
td:nth-child(4){white-space:nowrap}
dl{display:grid;grid-template-columns:max-content 1fr;gap:0 1rem}dt{color:#777}dd{margin:0}figure{margin:2rem 0}
`
