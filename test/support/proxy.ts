import type { Socket } from "bun"

/** Stands between client and daemon, and cuts connections when a test says so: `using proxy = startProxy(stack.url)`. */
export interface Proxy extends Disposable {
  readonly url: string
  /** Connections that were made so far. */
  readonly connections: number
  /** Cuts all connections; new ones are let through. */
  cut(): void
}

interface Pair {
  other: Socket<Pair> | undefined
  /** What came before the other side was there. */
  early: Buffer[]
}

export function startProxy(url: string): Proxy {
  const { hostname, port } = new URL(url)
  const open = new Set<Socket<Pair>>()
  let connections = 0
  const forward = (socket: Socket<Pair>, bytes: Buffer) => {
    const { other, early } = socket.data
    if (other === undefined) early.push(Buffer.from(bytes))
    else other.write(bytes)
  }
  const close = (socket: Socket<Pair>) => {
    open.delete(socket)
    socket.data.other?.terminate()
  }
  const listener = Bun.listen<Pair>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      async open(near) {
        connections++
        near.data = { other: undefined, early: [] }
        open.add(near)
        const far = await Bun.connect<Pair>({
          hostname,
          port: Number(port),
          data: { other: near, early: [] },
          socket: { data: forward, close, error: close },
        })
        near.data.other = far
        for (const bytes of near.data.early) far.write(bytes)
      },
      data: forward,
      close,
      error: close,
    },
  })
  return {
    url: `http://127.0.0.1:${listener.port}`,
    get connections() {
      return connections
    },
    cut() {
      for (const socket of open) socket.terminate()
    },
    [Symbol.dispose]: () => listener.stop(true),
  }
}
