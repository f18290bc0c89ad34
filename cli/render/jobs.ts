import type { JobState, JobStatus } from "../../protocol/job.ts"
import type { Style } from "../style.ts"
import { printable, printableLine } from "./printable.ts"
import { renderTable } from "./table.ts"

/** Jobs as a table. `time` is the present, in milliseconds since 1970. */
export function renderJobs(jobs: readonly JobStatus[], style: Style, time: number): string {
  const column = (read: (job: JobStatus) => string): string[] => {
    return jobs.map((job) => printableLine(read(job)))
  }
  return renderTable(
    [
      { heading: "JOB", cells: column(({ id }) => id), paint: style.bold },
      { heading: "FUNCTION", cells: column((job) => `${job.env}/${job.function}`) },
      {
        heading: "STATE",
        cells: column(stateOf),
        paint: (cell) => paintState(cell.trim(), style)(cell),
      },
      { heading: "ATTEMPTS", cells: column(attemptsOf), align: "right" },
      { heading: "AGE", cells: column((job) => ago(job.createdAt, time)), align: "right" },
      { heading: "PROGRESS", cells: column((job) => cut(progressOf(job))) },
      { heading: "REASON", cells: column((job) => cut(job.reason ?? "")) },
    ],
    style.dim,
  )
}

/** One job, as facts. */
export function renderJob(job: JobStatus, style: Style, time: number): string {
  const { state, createdAt, runAt, startedAt, endedAt, expiresAt } = job
  const facts: (readonly [name: string, text: string | undefined, paint?: Paint])[] = [
    ["job", job.id, style.bold],
    ["function", `${job.env}/${job.function}`],
    ["state", stateOf(job), paintState(stateOf(job), style)],
    ["attempts", `${attemptsOf(job)}${job.durable ? " (durable)" : ""}`],
    ["progress", progressOf(job)],
    ["reason", job.reason],
    ["schedule", job.schedule],
    ["created", `${createdAt} (${ago(createdAt, time)} ago)`],
    ["runs at", state === "queued" ? runAt : undefined],
    ["started", startedAt],
    ["ended", endedAt],
    ["kept until", expiresAt],
  ]
  return facts
    .flatMap(([name, text = "", paint = plain]) => {
      return text === "" ? [] : [`${style.dim(name.padEnd(10))}  ${paint(printable(text))}`]
    })
    .join("\n")
}

type Paint = (text: string) => string

const plain: Paint = (text) => text

function stateOf({ state, dead }: JobStatus): string {
  return dead ? "dead" : state
}

function attemptsOf({ attempts, attemptsMax }: JobStatus): string {
  return `${attempts}/${attemptsMax}`
}

function progressOf({ progress }: JobStatus): string {
  if (progress === undefined) return ""
  return `${Math.round(progress.fraction * 100)} % ${progress.message ?? ""}`.trimEnd()
}

function paintState(state: string, style: Style): Paint {
  return style[STATE_STYLES.get(state) ?? "dim"]
}

const STATE_STYLES: ReadonlyMap<string, keyof Style> = new Map<JobState | "dead", keyof Style>([
  ["queued", "yellow"],
  ["running", "green"],
  ["failed", "red"],
  ["dead", "red"],
])

function cut(text: string): string {
  return text.length > CELL_LENGTH_MAX ? `${text.slice(0, CELL_LENGTH_MAX - 1)}…` : text
}

const CELL_LENGTH_MAX = 60

/** Coarse: `5 s`, `3 min`, `2 h`, `4 d`. */
function ago(since: string, time: number): string {
  const seconds = Math.max(0, Math.floor((time - Date.parse(since)) / 1_000))
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h`
  return `${Math.floor(seconds / 86_400)} d`
}
