import type { Scenario } from "../figure.ts"
import type { Stage } from "./index.ts"

/** Jobs that are started all together, by one connection, and then fetched by another. */
export function jobs({ subject, extent }: Stage): Scenario {
  const { jobs: count } = extent
  const rate = `${count} jobs started and fetched`
  const missing = `lost jobs of ${count}`
  let lost = Number.NaN
  return {
    name: "jobs",
    isOrdered: true,
    isWarm: true,
    roundsMax: 1,
    figures: [
      {
        name: rate,
        unit: "jobs/s",
        async measure() {
          const start = performance.now()
          const started = await Promise.allSettled(numbers(count).map(startEcho))
          const fetched = await Promise.allSettled(started.map(resultOf))
          lost = fetched.filter((one, i) => one.status === "rejected" || one.value !== i).length
          return (count * 1_000) / (performance.now() - start)
        },
      },
      { name: missing, unit: "jobs", measure: async () => lost },
    ],
    bounds: [{ name: missing, goal: { atMost: 0 } }],
  }

  async function startEcho(i: number): Promise<string> {
    const { id } = await subject.echo.with({ job: { ttlMs: TTL_MS } }).start(i)
    return id
  }

  async function resultOf(started: PromiseSettledResult<string>): Promise<number> {
    if (started.status === "rejected") throw started.reason
    return await subject.job(started.value).result({ timeoutMs: TTL_MS })
  }
}

function numbers(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i)
}

/** The results go away before another round fills the store, and not before they are fetched. */
const TTL_MS = 120_000
