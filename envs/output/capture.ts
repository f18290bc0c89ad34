import { Console } from "node:console"

export type OutputStream = "stdout" | "stderr"

/**
 * Takes whatever the code of this thread prints: `console.*` and `write` of `process.stdout` and `process.stderr`. What
 * goes to the descriptors by other ways (programs that a function starts, the engine's own last words) is not seen here
 * and goes into the env's log as it is.
 */
export function captureOutput(take: (stream: OutputStream, text: string) => void): void {
  const own = new Console({
    // What Console asks of a stream beside `write`.
    stdout: sinkOf((text) => take("stdout", text)),
    stderr: sinkOf((text) => take("stderr", text)),
    colorMode: false,
  })
  for (const [name, value] of Object.entries(own)) {
    if (typeof value === "function") Reflect.set(console, name, value)
  }
  Reflect.set(console, "write", (...parts: unknown[]) => {
    const text = parts.map((part) => textOf(part)).join("")
    take("stdout", text)
    return text.length
  })
  replaceWrite(process.stdout, (text) => take("stdout", text))
  replaceWrite(process.stderr, (text) => take("stderr", text))
}

function sinkOf(take: (text: string) => void): NodeJS.WritableStream {
  const sink = {
    write: (text: unknown) => {
      take(textOf(text))
      return true
    },
    on: () => sink,
    once: () => sink,
    removeListener: () => sink,
    listenerCount: () => 0,
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Console uses nothing else of it
  return sink as unknown as NodeJS.WritableStream
}

function replaceWrite(stream: NodeJS.WriteStream, take: (text: string) => void): void {
  Reflect.set(stream, "write", (chunk: unknown, ...more: unknown[]) => {
    const [encoding] = more
    take(textOf(chunk, typeof encoding === "string" ? encoding : undefined))
    const done = more.find((argument) => typeof argument === "function")
    if (done !== undefined) queueMicrotask(() => void Reflect.apply(done, undefined, []))
    return true
  })
}

function textOf(chunk: unknown, encoding?: string): string {
  if (typeof chunk === "string") {
    const isText = encoding === undefined || /^utf-?8$/i.test(encoding)
    return isText || !Buffer.isEncoding(encoding) ? chunk : Buffer.from(chunk, encoding).toString()
  }
  if (chunk instanceof Uint8Array) return Buffer.from(chunk).toString()
  return String(chunk)
}
