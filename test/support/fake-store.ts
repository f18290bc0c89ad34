import type { Store } from "../../broker/store.ts"

/** A store in memory. Each operation takes a turn of the event loop, and waits for `hold` before it takes effect. */
export class FakeStore implements Store {
  readonly specs = new Map<string, unknown>()
  readonly records = new Map<string, unknown>()
  readonly texts = new Map<string, string>()
  /** Operations in the order in which they took effect. */
  readonly done: string[] = []
  /** Called with the name of each operation; what it returns is awaited, and rejects the operation when it rejects. */
  hold: (operation: string) => Promise<void> = () => Promise.resolve()

  readonly envs: Store["envs"] = {
    all: () => this.#run("envs.all", () => new Map(this.specs)),
    put: (name, value) => this.#run(`envs.put ${name}`, () => void this.specs.set(name, value)),
    delete: (name) => this.#run(`envs.delete ${name}`, () => void this.specs.delete(name)),
  }

  readonly functions: Store["functions"] = {
    all: () => this.#run("functions.all", () => [...this.records.values()]),
    put: (env, name, record) =>
      this.#run(`functions.put ${env}/${name}`, () => {
        this.records.set(`${env}/${name}`, record)
      }),
    delete: (env, name) =>
      this.#run(`functions.delete ${env}/${name}`, () => {
        this.records.delete(`${env}/${name}`)
      }),
  }

  readonly code: Store["code"] = {
    put: (version, text) => this.#run("code.put", () => void this.texts.set(version, text)),
    get: (version) => this.#run("code.get", () => this.texts.get(version)),
    versions: () => this.#run("code.versions", () => [...this.texts.keys()]),
    delete: (version, isWanted) =>
      this.#run("code.delete", () => {
        if (!isWanted()) this.texts.delete(version)
      }),
  }

  readonly packs = new Map<string, Uint8Array>()
  readonly files: Store["files"] = {
    put: (version, pack) => this.#run("files.put", () => void this.packs.set(version, pack)),
    get: (version) => this.#run("files.get", () => this.packs.get(version)),
    keep: (versions) => {
      for (const version of this.packs.keys()) {
        if (!versions.has(version)) this.packs.delete(version)
      }
      return Promise.resolve()
    },
  }

  async #run<T>(operation: string, effect: () => T): Promise<T> {
    await this.hold(operation)
    this.done.push(operation)
    return effect()
  }
}
