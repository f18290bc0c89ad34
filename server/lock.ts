import { Database } from "bun:sqlite"

/**
 * One daemon per home. The lock is SQLite's: the system takes it back when the process ends, however it ends, so there
 * is no stale lock to judge, and no race between judging and taking. (Bun has no `flock` of its own.)
 */
export class HomeLock implements Disposable {
  readonly #database: Database

  private constructor(database: Database) {
    this.#database = database
  }

  /** Undefined when another process holds the lock. */
  static take(path: string): HomeLock | undefined {
    const database = new Database(path, { create: true })
    try {
      database.run("PRAGMA busy_timeout = 0")
      // Nothing is ever written, so the lock leaves no journal behind.
      database.run("PRAGMA journal_mode = MEMORY")
      database.run("BEGIN EXCLUSIVE")
      return new HomeLock(database)
    } catch (error) {
      database.close()
      if (error instanceof Error && "code" in error && error.code === "SQLITE_BUSY")
        return undefined
      throw error
    }
  }

  [Symbol.dispose](): void {
    this.#database.close()
  }
}
