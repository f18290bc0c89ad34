/** Changes of one subject follow each other; those of different ones do not wait for each other. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>()

  /** Runs `change` when all earlier ones of `subject` have ended, however they ended. */
  async take<T>(subject: string, change: () => Promise<T>): Promise<T> {
    const before = this.#last.get(subject) ?? Promise.resolve()
    const turn = before.then(change, change)
    this.#last.set(subject, turn)
    try {
      return await turn
    } finally {
      if (this.#last.get(subject) === turn) this.#last.delete(subject)
    }
  }
}
