import { nameToken } from "./names.ts"

/**
 * The subjects of one daemon. `space` is the daemon's own random token, so that many daemons share one cluster
 * without meeting; `incarnation` is one life of one env process, so that a message for a dead process reaches nobody
 * and a late reply of it is recognised.
 */
export interface EnvSubjects {
  /** Batches of calls, daemon to env process. */
  readonly calls: string
  /** Requests about code, daemon to env process (load, drain). */
  readonly control: string
  /** Batches of replies, env process to daemon. */
  readonly replies: string
  /** Followed by the number of a session: batches of frames about calls that functions make, env process to daemon. */
  readonly nested: string
  /** Followed by the same number: what the daemon answers to these. */
  readonly answers: string
}

export function envSubjects(space: string, env: string, incarnation: string): EnvSubjects {
  const down = `bunhouse.${space}.env.${nameToken(env)}.${incarnation}`
  return {
    calls: `${down}.calls`,
    control: `${down}.control`,
    replies: `bunhouse.${space}.up.${incarnation}`,
    nested: `bunhouse.${space}.nested.${incarnation}`,
    answers: `${down}.answers`,
  }
}

/** What the env role may publish to and subscribe to; the broker enforces it. */
export function envPermissions(space: string): { publish: string[]; subscribe: string[] } {
  return {
    publish: [
      `bunhouse.${space}.up.*`,
      `bunhouse.${space}.nested.*.*`,
      `bunhouse.${space}.inbox.>`,
    ],
    subscribe: [`bunhouse.${space}.env.>`],
  }
}

/** Prefix of the daemon's reply inboxes. */
export function inboxPrefix(space: string): string {
  return `bunhouse.${space}.inbox`
}
