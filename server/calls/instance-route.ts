import { now } from "../../protocol/deadlines.ts"
import { stateLost } from "../../protocol/errors.ts"
import { FrameFlag, type FrameReader, FrameType } from "../../protocol/frame.ts"
import type { FunctionInfo } from "../../protocol/function-spec.ts"
import { Lane } from "./lane.ts"
import { type EnvRoute, FunctionRoute } from "./route.ts"

/**
 * Where calls of one instance of a class go: one object in one life of an env process.
 *
 * Invariants:
 * I1. It has an index from the beginning until the object is gone. It never gets another one: what is gone is refused
 *     with STATE_LOST, and no call reaches an object that it was not made for.
 * I2. An instance on a thread of its own has a lane of its own with one place, so that its calls follow each other and
 *     those that wait did certainly not run.
 */
export class InstanceRoute extends FunctionRoute {
  /** What the daemon knew of the class when the instance was made; a later version of the class does not change it. */
  readonly type: FunctionInfo
  /** Unique among all instances of the class that ever were. */
  readonly id: string
  /** The name by which it can be found; without one it belongs to those who are connected to it. */
  readonly name: string | undefined
  readonly #lane: Lane | undefined
  /** Connections that know it and HTTP calls under way. */
  #holders = 0
  #letGoAt = now()

  constructor(env: EnvRoute, type: FunctionInfo, name: string | undefined, index: number) {
    const id = idOf(name)
    super(env, { ...type, name: `${type.name}/${id}` })
    this.type = type
    this.id = id
    this.name = name
    this.index = index
    this.#lane = type.run === "thread" ? new Lane(1, env.backlog, env.flight) : undefined // I2
  }

  override get lane(): Lane {
    return this.#lane ?? super.lane
  }

  get ownLane(): Lane | undefined {
    return this.#lane
  }

  override hold(): void {
    this.#holders++
  }

  override letGo(): void {
    this.#holders--
    this.#letGoAt = now()
  }

  /** How long nobody has been there who could still call it; 0 while somebody is. */
  get abandonedMs(): number {
    return this.#holders > 0 ? 0 : now() - this.#letGoAt
  }

  /** I1. */
  override lose(reason: string): void {
    this.index = undefined
    this.isRemoved = true
    this.refusal ??= stateLost(this.env.name, this.info.name, reason)
    this.env.instances.delete(this.info.name)
  }
}

/** Whether a reply says that the instance is gone. With `thrown`, flags are those of the call, and its caller's word. */
export function saysGone({ type, flags }: FrameReader): boolean {
  return type === FrameType.error && (flags & GONE_OR_THROWN) === FrameFlag.gone
}

const GONE_OR_THROWN = FrameFlag.gone | FrameFlag.thrown

function idOf(name: string | undefined): string {
  const unique = crypto.randomUUID().replaceAll("-", "").slice(0, 12)
  return name === undefined ? unique : `${name}~${unique}`
}
