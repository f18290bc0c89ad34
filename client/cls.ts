import { BunhouseError } from "../protocol/errors.ts"
import {
  type FunctionInfo,
  type FunctionSpec,
  type Place,
  versionOf,
} from "../protocol/function-spec.ts"
import { type AnyClass, isConcreteClass, membersOf, placeOfMembers } from "./code/members.ts"
import { callSite } from "./code/call-site.ts"
import { codeOf } from "./code/code-of.ts"
import { nameFor } from "./code/source.ts"
import { Daemon } from "./daemon.ts"
import { deploy, lookUp } from "./deploy.ts"
import { checkPlace, type Target } from "./fn.ts"
import { checkKnown } from "./known-options.ts"
import type { Link } from "./link.ts"
import { warn } from "./notices.ts"
import { makeRemoteClass, type RemoteClass } from "./remote-class.ts"

export interface ClsOptions {
  /** Name under which the env knows the class. Default: the class's own name. */
  readonly name?: string
  /**
   * Where instances live. Default `auto`: on the env's loop when all methods are async, static ones included, where
   * their calls overlap as they would locally; otherwise each on a thread of its own, where its calls follow each other.
   */
  readonly run?: "auto" | Place
}

/** A class that is about to be sent. */
export interface SendableClass<C extends AnyClass> {
  /**
   * Sends the class, unless the env has this very version of it. Instances that live go on with the code that they were
   * made of.
   *
   * @throws {BunhouseError} FUNCTION_NOT_SENDABLE when it needs something that cannot travel, with name, file and line;
   *   DEPLOY_FAILED when the env cannot load it; ENV_FAILED, NO_DAEMON and the like.
   */
  to(target: Target): Promise<RemoteClass<C>>
}

/**
 * Takes a class to be sent: `const RemoteCounter = await cls(Counter).to(here)`.
 *
 * @throws {BunhouseError} FUNCTION_NOT_SENDABLE for what is no class of yours, and for a method called `then`, `async` or
 *   `sync`.
 */
export function cls<C extends AnyClass>(type: C, options: ClsOptions = {}): SendableClass<C> {
  const site = callSite(cls)
  if (!isConcreteClass(type)) {
    const message = "cls() takes a class that is written in JavaScript or TypeScript, and got none"
    throw new BunhouseError("FUNCTION_NOT_SENDABLE", message)
  }
  const name = nameFor(type, options.name)
  checkKnown("cls()", options, { name: true, run: true })
  checkPlace(options.run)
  const members = membersOf(type)
  const { run = "auto" } = options
  const place = run === "auto" ? placeOfMembers(members) : run
  return {
    async to(target) {
      const env = target instanceof Daemon ? target.env() : target
      const link = await env.describe()
      const { code, notices } = await codeOf(type, site, { external: await env.packages() })
      const spec = { env: env.name, name, kind: "class", run: place, members, code } as const
      const info = await send(link, spec, notices)
      return makeRemoteClass<C>({ link, info, local: type, options: {} })
    },
  }
}

async function send(
  link: Link,
  spec: FunctionSpec,
  notices: readonly string[],
): Promise<FunctionInfo> {
  const known = await lookUp(link, spec)
  if (known?.version === versionOf(spec)) return known
  const { kind, run, members, code } = spec
  for (const line of notices) warn(line)
  return deploy(link, "class", spec, { kind, run, members, code })
}
