import { describe, expect, test } from "bun:test"
import { ThreadLab } from "../../support/thread-lab.ts"

describe("a thread", () => {
  // Late errors are left to test/integration: in a Worker of a test process Bun does not ask for handlers.
  test("is not confused by what functions do with their thread's own messages (H2)", async () => {
    await using lab = new ThreadLab({ threadsMax: 1, idleMs: 1_000 })
    const leave = await lab.load(`
      postMessage("ready"); postMessage(new Uint8Array([1, 2, 3])); self.postMessage({})
      self.onmessage = () => {}
      return a`)
    for (let i = 0; i < 20; i++) expect((await lab.call(leave, i)).value).toBe(i)
    const calls = Array.from({ length: 5 }, (_, i) => [i, lab.run(leave, i)] as const)
    for (const [i, id] of calls) expect((await lab.answered(id)).value).toBe(i)
    expect(lab.pool.size).toBe(1)
  })

  test("lets functions see and lose none of the messages by which threads are woken (H2)", async () => {
    await using lab = new ThreadLab({ threadsMax: 1, idleMs: 1_000 })
    const listen = await lab.load(`
      globalThis.seen ??= []
      self.onmessage = ({ data }) => seen.push(data)
      self.addEventListener("message", ({ data }) => seen.push(data))
      const stop = (event) => { seen.push(event.data); event.stopImmediatePropagation() }
      self.addEventListener("message", stop, true)
      globalThis.postMessage = () => {}
      return seen.length`)
    // Each after a pause, in which the thread has fallen asleep.
    for (let i = 0; i < 20; i++) {
      expect((await lab.call(listen)).value).toBe(0)
      await Bun.sleep(2)
    }
  })

  test("answers each call with its own result though functions make up messages (H1, H2)", async () => {
    await using lab = new ThreadLab({ threadsMax: 1, idleMs: 1_000 })
    const dispatch = await lab.load(`
      let heard = 0
      const hear = () => heard++
      self.addEventListener("message", hear)
      self.dispatchEvent(new MessageEvent("message", { data: null }))
      self.removeEventListener("message", hear)
      return [a, heard]`)
    const calls = Array.from({ length: 10 }, (_, i) => [i, lab.run(dispatch, i)] as const)
    for (const [i, id] of calls) expect((await lab.answered(id)).value).toEqual([i, 1])
  })

  test("answers each call with its own result though progress is reported after it (H1)", async () => {
    await using lab = new ThreadLab({ threadsMax: 1, idleMs: 1_000 })
    const library = JSON.stringify(new URL("../../../client/index.ts", import.meta.url).href)
    const late = await lab.load(`
      return (async () => {
        const { context } = await import(${library})
        const { progress } = context()
        const done = Bun.sleep(1)
        void done.then(async () => {
          for (let i = 0; i < 8; i++) {
            await undefined
            progress(i / 8)
          }
        })
        await done
        return a
      })()`)
    const calls = Array.from({ length: 10 }, (_, i) => [i, lab.run(late, i)] as const)
    for (const [i, id] of calls) expect((await lab.answered(id)).value).toBe(i)
  })
})
