/** Takes one step after another until `work` has settled. */
export async function whilePending(
  work: Promise<unknown>,
  step: () => Promise<unknown>,
): Promise<void> {
  const isOver = work.then(
    () => true,
    () => true,
  )
  for (;;) {
    const stepped = step().then(() => false)
    if (!(await Promise.race([isOver, stepped]))) continue
    await stepped
    return
  }
}
