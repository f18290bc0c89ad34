import type { Console } from "node:console"

export type OutputStream = "stdout" | "stderr"

/**
 * Takes whatever the code of this thread prints: `console.*` and `write` of `process.stdout` and `process.stderr`. What
 * goes to the descriptors by other ways (programs that a function starts, the engine's own last words) is not seen here
 * and goes into the env's log as it is.
 *
 * Everything is made when it is first used: the streams and the console of Node take longer to make than all the rest of
 * a thread, and most functions print nothing.
 */
export function captureOutput(take: (stream: OutputStream, text: string) => void): void {
  captureConsole(take)
  for (const name of ["stdout", "stderr"] as const) {
    captureStream(name, (text) => take(name, text))
  }
}

function captureConsole(take: (stream: OutputStream, text: string) => void): void {
  let own: Console | undefined
  const made = (): Console => {
    const { Console } = process.getBuiltinModule("node:console")
    return new Console({
      stdout: sinkOf((text) => take("stdout", text)),
      stderr: sinkOf((text) => take("stderr", text)),
      colorMode: false,
    })
  }
  for (const name of Object.keys(console)) {
    if (name === "Console") continue // Reading it would make it.
    const original: unknown = Reflect.get(console, name)
    if (typeof original !== "function") continue
    Reflect.set(console, name, (...parts: unknown[]): unknown => {
      own ??= made()
      const method: unknown = Reflect.get(own, name)
      return Reflect.apply(typeof method === "function" ? method : original, own, parts)
    })
  }
  Reflect.set(console, "write", (...parts: unknown[]) => {
    const text = parts.map((part) => textOf(part)).join("")
    take("stdout", text)
    return text.length
  })
}

/** Looking at what is there would make it, and so would defining it while it is: it is made anew, on the same descriptor. */
function captureStream(name: OutputStream, take: (text: string) => void): void {
  let stream: NodeJS.WritableStream | undefined
  const made = (): NodeJS.WritableStream => {
    const { createWriteStream } = process.getBuiltinModule("node:fs")
    const real = createWriteStream("", { fd: name === "stdout" ? 1 : 2, autoClose: false })
    replaceWrite(real, take)
    return real
  }
  // An assignment does not look at what it replaces.
  Reflect.set(process, name, undefined)
  Object.defineProperty(process, name, {
    configurable: true,
    enumerable: true,
    get: () => (stream ??= made()),
  })
}

/** What Console asks of a stream. */
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

function replaceWrite(stream: NodeJS.WritableStream, take: (text: string) => void): void {
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
