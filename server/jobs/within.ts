/** Whether `promise` was settled in time. Rejects as it does. */
export async function within(
  promise: Promise<void>,
  ms: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => resolve(false), ms)
  const leave = () => resolve(false)
  signal?.addEventListener("abort", leave, { once: true })
  try {
    return await Promise.race([promise.then(() => true), late])
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener("abort", leave)
  }
}
