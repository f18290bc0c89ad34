import { fileURLToPath } from "node:url"
import makeSynchronous from "make-synchronous"
import { createSyncFn } from "synckit"
import { startElysia } from "./elysia.ts"
import { startMoleculer } from "./moleculer.ts"
import { startNatsMicro } from "./nats-micro.ts"
import type { Peer } from "./peer.ts"
import { startPiscina, startTinypool } from "./pools.ts"

/** What people use today; each is started when it is first asked for. */
export interface Peers extends AsyncDisposable {
  moleculer(): Promise<Peer>
  natsMicro(): Promise<Peer>
  elysia(): Promise<Peer>
  piscina(): Promise<Peer>
  tinypool(): Promise<Peer>
  synckit(): (i: number) => unknown
  makeSynchronous(): (i: number) => unknown
}

export function preparePeers(natsUrl: string): Peers {
  const started = new AsyncDisposableStack()
  const once = (start: () => Peer | Promise<Peer>): (() => Promise<Peer>) => {
    let peer: Promise<Peer> | undefined
    return () => (peer ??= (async () => started.use(await start()))())
  }
  let synckit: ((i: number) => unknown) | undefined
  let synchronous: ((i: number) => unknown) | undefined
  return {
    moleculer: once(() => startMoleculer(natsUrl)),
    natsMicro: once(() => startNatsMicro(natsUrl)),
    elysia: once(startElysia),
    piscina: once(startPiscina),
    tinypool: once(startTinypool),
    synckit: () => (synckit ??= createSyncFn(WORKER)),
    makeSynchronous: () => (synchronous ??= makeSynchronous(async (x: number) => x)),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

const WORKER = fileURLToPath(new URL("./synckit-worker.js", import.meta.url))
