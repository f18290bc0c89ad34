/** Calls whose callers have not been told yet, and the wait for the last of them when the daemon stops. */
export class Drain {
  #open = 0
  #hasBegun = false
  readonly #drained = Promise.withResolvers<void>()

  get hasBegun(): boolean {
    return this.#hasBegun
  }

  /** After `begin`: resolves when there are none any more. */
  get drained(): Promise<void> {
    return this.#drained.promise
  }

  begin(): void {
    this.#hasBegun = true
    this.#look()
  }

  admitted(): void {
    this.#open++
  }

  settled(): void {
    this.#open--
    this.#look()
  }

  #look(): void {
    if (this.#hasBegun && this.#open === 0) this.#drained.resolve()
  }
}
