/** The functions that are measured. */

export async function echoed(x: number): Promise<number> {
  return x
}

/** Handles that `relayed` has looked up, in its env. */
const known = new Map<string, (x: number) => Promise<number>>()

/** Calls the echo of another env. */
export async function relayed(x: number): Promise<number> {
  let echo = known.get("echo")
  if (echo === undefined) {
    const { context } = await import("bunhouse")
    echo = await context().here.get<(x: number) => Promise<number>>("default/echo")
    known.set("echo", echo)
  }
  return echo(x)
}

export function syncEchoed(x: number): number {
  return x
}

export async function echoedBytes(bytes: Uint8Array): Promise<Uint8Array> {
  return bytes
}

export async function asyncSleep(seconds: number): Promise<number> {
  await Bun.sleep(seconds * 1_000)
  return seconds
}

export function syncSleep(seconds: number): number {
  Bun.sleepSync(seconds * 1_000)
  return seconds
}

export async function* counted(n: number): AsyncGenerator<number> {
  for (let i = 0; i < n; i++) yield i
}

export function* syncCounted(n: number): Generator<number> {
  for (let i = 0; i < n; i++) yield i
}

/** Items that take room wherever they wait. */
export async function* countedTexts(n: number, length: number): AsyncGenerator<string> {
  for (let i = 0; i < n; i++) yield textOfItem(i, length)
}

export function textOfItem(i: number, length: number): string {
  return String(i).padStart(length, "item ")
}

/** What a small real function does: reads an order, adds it up and writes it again, in some 50 µs. */
export async function totalled(i: number): Promise<number> {
  return total(i)
}

export async function totalledAndPrinted(i: number): Promise<number> {
  console.log(`order ${i}`)
  return total(i)
}

export async function echoedAndPrinted(i: number): Promise<number> {
  console.log(`order ${i}`)
  return i
}

export function total(i: number): number {
  const lines: { price: number; count: number; total?: number }[] = JSON.parse(ORDER)
  for (const line of lines) line.total = line.price * line.count
  return i + JSON.stringify(lines).length
}

const ORDER = JSON.stringify(
  Array.from({ length: 150 }, (_, i) => ({ item: `article ${i}`, price: i * 7, count: i % 5 })),
)

/** Blocks the loop of its own env. */
export async function blockLoop(): Promise<void> {
  Bun.sleepSync(100)
}

/** Occupies a thread without using a core: what is measured is bunhouse, not the machine's scheduler. */
export function fillThread(): void {
  Bun.sleepSync(100)
}

export async function crash(): Promise<void> {
  process.exit(1)
}

/** Ends with its thread only. Writes the time into the file at `path` for as long as it runs. */
export function spin(path: string): never {
  const { buffer, byteOffset } = Bun.mmap(path, { shared: true })
  const time = new Float64Array(buffer, byteOffset, 1)
  for (;;) time[0] = Date.now()
}
