/** The numbers that stand for functions on one connection. A number that was let go is given out again. */
export class Targets {
  #byEnv = new Map<string, Map<string, number>>()
  #free: number[] = []
  #count = 0

  /** Undefined for a function that has none. Asked for each call, so nothing is made to ask. */
  get(env: string, fn: string): number | undefined {
    return this.#byEnv.get(env)?.get(fn)
  }

  /** A number for a function that has none. */
  add(env: string, fn: string): number {
    const target = this.#free.pop() ?? ++this.#count
    const ofEnv = this.#byEnv.get(env) ?? new Map<string, number>()
    this.#byEnv.set(env, ofEnv.set(fn, target))
    return target
  }

  /** Legal for a function that has none. */
  delete(env: string, fn: string): void {
    const ofEnv = this.#byEnv.get(env)
    const target = ofEnv?.get(fn)
    if (ofEnv === undefined || target === undefined) return
    ofEnv.delete(fn)
    if (ofEnv.size === 0) this.#byEnv.delete(env)
    this.#free.push(target)
  }

  clear(): void {
    this.#byEnv = new Map()
    this.#free = []
    this.#count = 0
  }
}
