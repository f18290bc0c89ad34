import { BunhouseError } from "./errors.ts"

/**
 * Reads an object that came from a wire or from a user, field by field. Everything is `unknown` until it was read
 * here; what does not fit is refused with the name of the field, what was expected and what was there.
 */
export class Fields {
  readonly #what: string
  readonly #record: Record<string, unknown>
  /** Fields that somebody asked for; one may be there twice. */
  readonly #read: string[] = []

  /** `what` begins the messages: "the spec of env \"ml\"". */
  constructor(what: string, value: unknown) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new BunhouseError(
        "INVALID_ARGUMENT",
        `expected ${what} to be an object, got ${show(value)}`,
      )
    }
    this.#what = what
    this.#record = value as Record<string, unknown>
  }

  text(key: string): string {
    const value = this.#take(key)
    if (typeof value === "string") return value
    throw this.#refusal(key, "a string", value)
  }

  optionalText(key: string): string | undefined {
    return this.#take(key) === undefined ? undefined : this.text(key)
  }

  oneOf<T extends string>(key: string, allowed: readonly T[]): T {
    const value = this.#take(key)
    const found = allowed.find((candidate) => candidate === value)
    if (found !== undefined) return found
    throw this.#refusal(key, `one of ${allowed.map((a) => JSON.stringify(a)).join(", ")}`, value)
  }

  /** A whole number within bounds, or `otherwise` where the field is absent; without it, the field must be there. */
  integer(key: string, min: number, max: number, otherwise?: number): number {
    const value = this.#take(key)
    if (value === undefined && otherwise !== undefined) return otherwise
    if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) {
      return value
    }
    throw this.#refusal(key, `a whole number from ${min} to ${max}`, value)
  }

  /** An optional object, read by `read` under a name that says where it stands. */
  optional<T>(key: string, read: (fields: Fields) => T): T | undefined {
    const value = this.#take(key)
    if (value === undefined) return undefined
    return read(new Fields(`${this.#what}: ${key}`, value))
  }

  /** An object that must be there. */
  required<T>(key: string, read: (fields: Fields) => T): T {
    return read(new Fields(`${this.#what}: ${key}`, this.#take(key)))
  }

  flag(key: string): boolean {
    const value = this.#take(key)
    if (typeof value === "boolean") return value
    throw this.#refusal(key, "true or false", value)
  }

  /** Whatever stands there, for a reader of its own. */
  unknown(key: string): unknown {
    return this.#take(key)
  }

  list(key: string): readonly unknown[] {
    const value = this.#take(key)
    if (Array.isArray(value)) return value
    throw this.#refusal(key, "a list", value)
  }

  /** Refuses fields that nobody read: a misspelt option must not be ignored. */
  done(): void {
    const read = new Set(this.#read)
    for (const key of Object.keys(this.#record)) {
      if (read.has(key)) continue
      const known = [...read].join(", ")
      throw new BunhouseError(
        "INVALID_ARGUMENT",
        `${this.#what} has the unknown field ${show(key)} (known: ${known})`,
      )
    }
  }

  #take(key: string): unknown {
    this.#read.push(key)
    return Object.hasOwn(this.#record, key) ? this.#record[key] : undefined
  }

  #refusal(key: string, expected: string, value: unknown): BunhouseError {
    return new BunhouseError(
      "INVALID_ARGUMENT",
      `${this.#what}: expected ${key} to be ${expected}, got ${show(value)}`,
    )
  }
}

/** Parses JSON text of a peer; a syntax error becomes a refusal that says what the text was for. */
export function parseJson(what: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new BunhouseError("INVALID_ARGUMENT", `expected ${what} to be JSON`, { cause })
  }
}

function show(value: unknown): string {
  if (value === undefined) return "nothing"
  const text = typeof value === "string" ? JSON.stringify(value) : Bun.inspect(value, { depth: 0 })
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}
