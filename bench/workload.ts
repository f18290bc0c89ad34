/** The functions that are measured. Each is self-contained. */

export async function echoed(x: number): Promise<number> {
  return x
}

/** Calls the echo of another env. */
export async function relayed(x: number): Promise<number> {
  const kept = globalThis as { inner?: (x: number) => Promise<number> }
  if (kept.inner === undefined) {
    const { context } = await import("bunhouse")
    kept.inner = await context().here.get<(x: number) => Promise<number>>("default/echo")
  }
  return kept.inner(x)
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
