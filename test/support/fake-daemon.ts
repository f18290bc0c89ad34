import type { Server, ServerWebSocket } from "bun"
import { FrameType } from "../../protocol/frame.ts"
import type { Address } from "../../client/settings.ts"
import { batchOf, framesIn, type SeenFrame } from "./frames.ts"
import { until } from "./until.ts"

type Peer = ServerWebSocket

/** A daemon that says what a test tells it to say: `using daemon = startFakeDaemon()`. */
export interface FakeDaemon extends Disposable {
  readonly address: Address
  /** Every frame of every client, in order. */
  readonly frames: readonly SeenFrame[]
  /** Messages as they came, in numbers of frames. */
  readonly messageSizes: readonly number[]
  /** Sockets that are open. */
  readonly peers: ReadonlySet<Peer>
  /** Called for each call frame; by default nothing is answered. */
  onCall: (call: SeenFrame, peer: Peer) => void
  /** Called when a client has connected; by default it is told hello. */
  onOpen: (peer: Peer) => void
  /** Asked for each connection; a response is given instead of an upgrade. */
  onConnect: () => Response | undefined | Promise<Response | undefined>
  /** Resolves with the calls once there are `count`. */
  calls(count: number): Promise<SeenFrame[]>
  /** Closes all connections as a crash would. */
  drop(): void
}

export function startFakeDaemon(port = 0): FakeDaemon {
  const frames: SeenFrame[] = []
  const messageSizes: number[] = []
  const peers = new Set<Peer>()
  const daemon = {
    onCall: (_call: SeenFrame, _peer: Peer): void => {},
    onOpen: (peer: Peer): void => void peer.send(helloOf("boot")),
    onConnect: (() => undefined) as FakeDaemon["onConnect"],
  }
  const server: Server<undefined> = Bun.serve({
    port,
    hostname: "127.0.0.1",
    async fetch(request, serving) {
      const refusal = await daemon.onConnect()
      if (refusal !== undefined || serving.upgrade(request)) return refusal
      return new Response("no upgrade", { status: 400 })
    },
    websocket: {
      data: undefined,
      maxPayloadLength: 1 << 26,
      open(peer) {
        peers.add(peer)
        daemon.onOpen(peer)
      },
      message(peer, message) {
        const batch = framesIn(typeof message === "string" ? Buffer.from(message) : message)
        messageSizes.push(batch.length)
        for (const frame of batch) {
          frames.push(frame)
          if (frame.type === FrameType.call) daemon.onCall(frame, peer)
        }
      },
      close: (peer) => void peers.delete(peer),
    },
  })
  const callsSoFar = () => frames.filter(({ type }) => type === FrameType.call)
  return Object.assign(daemon, {
    address: { url: `http://127.0.0.1:${server.port}`, token: "token" },
    frames,
    messageSizes,
    peers,
    calls: (count: number) =>
      until(() => (callsSoFar().length >= count ? callsSoFar() : undefined), `${count} calls`),
    drop() {
      for (const peer of peers) peer.terminate()
    },
    [Symbol.dispose]: () => void server.stop(true),
  })
}

export function helloOf(bootId: string): Uint8Array {
  const payload = JSON.stringify({ protocol: 1, version: "0", bootId })
  return batchOf(FrameType.hello, { payload })
}
