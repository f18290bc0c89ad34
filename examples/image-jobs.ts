/** A module of jobs, as examples/module-exports.ts sends it. It never runs in the process that sends it. */
let jobs = 0

export const LIMITS = { widthMax: 4_096, formats: ["png", "webp"] }

/** Async, so it runs on the env's event loop, where the module has one copy of its state. */
export async function next(): Promise<number> {
  await Bun.sleep(1)
  return ++jobs
}

/** Sync, so it runs on a thread, which has a copy of the module of its own. */
export function resize(width: number, factor = 2): number {
  return Math.min(width * factor, LIMITS.widthMax)
}

export class Report {
  readonly #lines: string[] = []

  async add(...lines: string[]): Promise<number> {
    return this.#lines.push(...lines)
  }

  async text(): Promise<string> {
    return `${jobs} jobs\n${this.#lines.join("\n")}`
  }
}
