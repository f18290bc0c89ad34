import type { ChunkStore } from "../../broker/chunks.ts"
import { ObjectWriter } from "../../broker/object-writer.ts"
import { BunhouseError } from "../../protocol/errors.ts"

/** What large payloads are kept in, in memory: it outlives daemons, can be away or full, and says what it holds. */
export class FakeChunks {
  readonly contents = new Map<string, Uint8Array[]>()
  chunkBytesMax = 4
  isAway = false
  /** Chunks that it still takes. */
  chunksLeft = Number.POSITIVE_INFINITY
  #life = 0

  /** What all of them say, in no order. */
  get texts(): string[] {
    return [...this.contents.values()].map((chunks) => Buffer.concat(chunks).toString())
  }

  /** Whoever has opened the store is dead, whatever he is about to do. */
  kill(): void {
    this.#life++
  }

  async open(): Promise<ChunkStore> {
    const { contents } = this
    const life = this.#life
    const answer = async () => {
      await Promise.resolve()
      if (this.isAway || life !== this.#life) throw failure("the store is away")
    }
    await answer()
    return {
      writer: () =>
        new ObjectWriter({
          chunkBytesMax: this.chunkBytesMax,
          publish: async (nuid, chunk) => {
            await answer()
            if (this.chunksLeft-- <= 0) throw failure("the store is full")
            contents.set(nuid, [...(contents.get(nuid) ?? []), new Uint8Array(chunk)])
          },
        }),
      async *read(name, { nuid, chunks }) {
        for (let index = 0; index < chunks; index++) {
          await answer()
          const chunk = contents.get(nuid)?.[index]
          if (chunk === undefined) throw new BunhouseError("INTERNAL", `reading ${name} failed`)
          yield chunk
        }
      },
      async remove(nuid) {
        await answer()
        contents.delete(nuid)
      },
      async nuids() {
        await answer()
        return [...contents.keys()]
      },
    }
  }
}

function failure(message: string): BunhouseError {
  return new BunhouseError("UNAVAILABLE", message)
}
