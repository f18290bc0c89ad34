import { CONNECTION_ID, FrameType } from "../../protocol/frame.ts"
import { decodeErrorRecord } from "../../protocol/errors.ts"
import { batchOf, type FrameParts, framesIn, type SeenFrame } from "./frames.ts"
import type { Stack } from "./stack.ts"
import { until } from "./until.ts"

/** A client that may say anything: a bare WebSocket to the daemon, with the token. */
export class RawClient {
  readonly frames: SeenFrame[] = []
  closed: { readonly code: number; readonly reason: string } | undefined
  readonly #socket: WebSocket

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.binaryType = "arraybuffer"
    socket.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
      if (data instanceof ArrayBuffer) this.frames.push(...framesIn(new Uint8Array(data)))
    })
    socket.addEventListener("close", ({ code, reason }) => (this.closed = { code, reason }))
  }

  /** Resolves once the daemon has said hello. */
  static async connect(stack: Stack): Promise<RawClient> {
    const url = `${stack.url.replace("http", "ws")}/v1/connect`
    const headers = { authorization: `Bearer ${stack.token}` }
    const client = new RawClient(new WebSocket(url, { headers }))
    await until(() => client.frames.length > 0, "the daemon's hello")
    return client
  }

  send(message: string | Uint8Array<ArrayBuffer>): void {
    this.#socket.send(message)
  }

  bind(env: string, fn: string, target = 1): void {
    const payload = JSON.stringify({ env, function: fn })
    this.send(batchOf(FrameType.bind, { target, payload }))
  }

  call(id: number, parts: FrameParts = {}): void {
    this.send(batchOf(FrameType.call, { id, target: 1, timeoutMs: 10_000, ...parts }))
  }

  /** The answer to a call. */
  reply(id: number): Promise<SeenFrame> {
    const isReply = (frame: SeenFrame) => frame.id === id && frame.type !== FrameType.hello
    return until(() => this.frames.find(isReply), `the reply to call ${id}`)
  }

  /** The code of the error for which the daemon closed the connection. */
  async refusal(): Promise<string> {
    await until(() => this.closed, "the daemon to close")
    const frame = this.frames.find(({ id }) => id === CONNECTION_ID)
    return frame === undefined ? "none" : decodeErrorRecord(Buffer.from(frame.text)).code
  }

  close(): void {
    this.#socket.close()
  }
}
