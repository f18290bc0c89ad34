import { Fields } from "../../protocol/fields.ts"
import { OBJECT_NAMES_MAX } from "../../protocol/limits.ts"

/**
 * Who keeps an object, and until when: whoever put it without a name and has the reference, and each of its names. An
 * object is kept as long as one hold lasts. Times are milliseconds of the system's clock, because they outlive the
 * process; Infinity stands for ever.
 */
export interface Holds {
  /** Undefined when it was put under names only. */
  readonly unnamedUntil: number | undefined
  readonly names: ReadonlyMap<string, number>
}

export const NO_HOLDS: Holds = { unnamedUntil: undefined, names: new Map() }

export function holdsUntil({ unnamedUntil, names }: Holds): number {
  return Math.max(unnamedUntil ?? 0, ...names.values())
}

export function isHeld(holds: Holds): boolean {
  return holds.unnamedUntil !== undefined || holds.names.size > 0
}

/** A hold that is there already is never shortened by a put without a name; a name lasts as its last put says. */
export function withHold(holds: Holds, name: string | undefined, until: number): Holds {
  if (name === undefined) {
    return { ...holds, unnamedUntil: Math.max(holds.unnamedUntil ?? 0, until) }
  }
  return { ...holds, names: new Map(holds.names).set(name, until) }
}

export function withoutName(holds: Holds, name: string): Holds {
  return { ...holds, names: new Map([...holds.names].filter(([other]) => other !== name)) }
}

/** Without the holds that have ended. */
export function lasting({ unnamedUntil, names }: Holds, now: number): Holds {
  return {
    unnamedUntil: unnamedUntil !== undefined && unnamedUntil > now ? unnamedUntil : undefined,
    names: new Map([...names].filter(([, until]) => until > now)),
  }
}

/** As the store keeps it. */
export interface ObjectFacts {
  readonly createdAt: number
  readonly holds: Holds
}

export function toFacts({ createdAt, holds }: ObjectFacts): object {
  const { unnamedUntil, names } = holds
  return {
    createdAt,
    ...(unnamedUntil !== undefined && { unnamedUntil: toJson(unnamedUntil) }),
    names: [...names].map(([name, until]) => ({ name, until: toJson(until) })),
  }
}

export function readFacts(input: unknown): ObjectFacts {
  const fields = new Fields("the facts of an object", input)
  const unnamed = fields.optionalText("unnamedUntil")
  const names = fields.list("names").slice(0, OBJECT_NAMES_MAX)
  return {
    createdAt: fields.integer("createdAt", 0, Number.MAX_SAFE_INTEGER),
    holds: {
      unnamedUntil: unnamed === undefined ? undefined : fromJson(unnamed),
      names: new Map(
        names.map((entry) => {
          const name = new Fields("the name of an object", entry)
          return [name.text("name"), fromJson(name.text("until"))]
        }),
      ),
    },
  }
}

/** JSON has no Infinity. */
function toJson(until: number): string {
  return String(until)
}

function fromJson(until: string): number {
  return Number(until)
}
