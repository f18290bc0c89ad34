/** A program of the bench, in a process of its own. */
export interface Program {
  readonly pid: number
  /** What the pattern that it was waited for has matched: its first group, or all. */
  readonly matched: string
  stop(): Promise<void>
}

/** Starts a program and waits until its output matches `ready`, at most 10 seconds. */
export async function startProgram(
  command: readonly string[],
  ready: string | RegExp,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Program> {
  const child = Bun.spawn([...command], {
    env: { ...environment },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  })
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const timer = setTimeout(() => reject(new Error(`${command[0]} is not ready`)), 10_000)
  let said = ""
  const listen = async (stream: ReadableStream<Uint8Array>) => {
    for await (const chunk of stream) {
      if (said.length > 100_000) continue
      said += Buffer.from(chunk).toString()
      const found = typeof ready === "string" ? said.includes(ready) && [ready] : ready.exec(said)
      if (found) resolve(found[1] ?? found[0])
    }
  }
  void listen(child.stdout)
  void listen(child.stderr)
  void child.exited.then(() => reject(new Error(`${command.join(" ")} ended:\n${said}`)))
  try {
    const matched = await promise
    return {
      pid: child.pid,
      matched,
      async stop() {
        child.kill()
        await child.exited
      },
    }
  } catch (error) {
    child.kill("SIGKILL")
    throw error
  } finally {
    clearTimeout(timer)
  }
}
