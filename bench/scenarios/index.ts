import type { Scenario } from "../figure.ts"
import type { Floors } from "../floors/floors.ts"
import type { Peers } from "../peers/peers.ts"
import type { Subject } from "../subject.ts"
import { blocking } from "./blocking.ts"
import { cancel } from "./cancel.ts"
import { growth } from "./growth.ts"
import { awaitedCalls, flight, flightCurve } from "./in-flight.ts"
import { isolation } from "./isolation.ts"
import { jobs } from "./jobs.ts"
import { logs } from "./logs.ts"
import { nested } from "./nested.ts"
import { others } from "./others.ts"
import { payloads } from "./payloads.ts"
import { processorTime } from "./processor-time.ts"
import { fairness, openLoopRate } from "./rate.ts"
import { AWAITED, sequential } from "./sequential.ts"
import { sleeps } from "./sleeps.ts"
import { slowReader } from "./slow-reader.ts"
import { bundles, coldStart, deploys, idleMemory, restart } from "./start.ts"
import { streams } from "./streams.ts"
import { threads } from "./threads.ts"

/** What is measured, and what it is held against, all in one run. */
export interface Stage {
  readonly subject: Subject
  readonly floors: Floors
  readonly peers: Peers
  readonly extent: Extent
}

/** How long a round of each figure takes, and how far the large cases go. */
export interface Extent {
  readonly isQuick: boolean
  readonly sequentialCalls: number
  readonly flightMs: number
  /** In how many turns a round measures what is compared; each takes its share of the round. */
  readonly turns: number
  readonly blockingCalls: number
  /** Items of so many characters, a few at once between pauses. */
  readonly slowReader: {
    readonly items: number
    readonly length: number
    readonly atOnce: number
  }
  readonly jobs: number
  readonly grown: {
    readonly envs: number
    readonly functions: number
    readonly connections: number
  }
}

export const QUICK: Extent = {
  isQuick: true,
  sequentialCalls: 500,
  flightMs: 200,
  turns: 1,
  blockingCalls: 5,
  slowReader: { items: 50_000, length: 1_000, atOnce: 1_000 },
  jobs: 300,
  grown: { envs: 8, functions: 200, connections: 100 },
}

export const FULL: Extent = {
  isQuick: false,
  sequentialCalls: 2_000,
  flightMs: 1_000,
  turns: 4,
  blockingCalls: 40,
  slowReader: { items: 10_000_000, length: 100, atOnce: 10_000 },
  jobs: 10_000,
  grown: { envs: 100, functions: 10_000, connections: 1_000 },
}

/** What guards the shape of the whole. Two numbers stand for it: one call at a time, and 256 in flight. */
export function guarding(stage: Stage): Scenario[] {
  return [
    sequential(stage),
    ...[64, 256].map((flights) => flight(stage, flights)),
    blocking(stage),
    idleMemory(stage),
    restart(stage),
  ]
}

export const HEADLINES: readonly string[] = [AWAITED, awaitedCalls(256)]

export function allScenarios(stage: Stage): Scenario[] {
  const everywhere = [
    sequential(stage),
    ...[16, 64, 256, 1_024].map((flights) => flight(stage, flights)),
    threads(stage),
    nested(stage),
    blocking(stage),
    sleeps(stage),
    isolation(stage),
    cancel(stage),
    payloads(stage),
    streams(stage),
    slowReader(stage),
    logs(stage),
    jobs(stage),
    deploys(stage),
    bundles(stage),
    idleMemory(stage),
    restart(stage),
    growth(stage),
  ]
  if (stage.extent.isQuick) return everywhere
  return [
    ...everywhere,
    others(stage),
    flightCurve(stage),
    processorTime(stage),
    openLoopRate(stage),
    fairness(stage),
    coldStart(stage),
  ]
}
