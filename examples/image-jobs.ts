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

export function area(width: number, height: number): number {
  return width * height
}

/** Where the tiles of a picture begin. Each is made when it is asked for. */
export function* tiles(width: number, size = 256): Generator<number> {
  for (let x = 0; x < width; x += size) yield x
}

export async function* ticks(count: number): AsyncGenerator<number> {
  for (let i = 0; i < count; i++) yield await next()
}

export async function formatOf(name: string): Promise<string | undefined> {
  return LIMITS.formats.find((format) => name.endsWith(`.${format}`))
}

export const VERSION = "1.0"

export class Report {
  readonly #lines: string[] = []

  async add(...lines: string[]): Promise<number> {
    return this.#lines.push(...lines)
  }

  async text(): Promise<string> {
    return `${jobs} jobs\n${this.#lines.join("\n")}`
  }
}

export async function about(): Promise<string> {
  return `image jobs ${VERSION}`
}
