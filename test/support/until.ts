/**
 * Waits until `condition` holds; fails after `timeoutMs` with `what` was waited for. What the condition returns is
 * returned: `const pid = await until(() => broker.pid, "the broker to be back")`.
 */
export async function until<T>(
  condition: () => Sought<T> | Promise<Sought<T>>,
  what: string,
  timeoutMs = 5_000,
): Promise<T> {
  const dueAt = performance.now() + timeoutMs
  for (;;) {
    const value = await condition()
    if (value !== undefined && value !== null && value !== false) return value
    if (performance.now() > dueAt) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`)
    await Bun.sleep(2)
  }
}

type Sought<T> = T | false | null | undefined
