import { Fields } from "./fields.ts"
import { CONNECTION_ID } from "./frame-types.ts"
import { PLACES, type Place } from "./function-spec.ts"
import { fromErrorRecord, type ErrorRecord } from "./errors.ts"
import {
  DEPLOY_TIMEOUT_MS_DEFAULT,
  DEPLOY_TIMEOUT_MS_MAX,
  ENV_PAYLOAD_BYTES_MAX,
  LOOP_BLOCK_MS_DEFAULT,
  LOOP_BLOCK_MS_MAX,
  PAYLOAD_BYTES_MAX,
} from "./limits.ts"
import type { EnvSubjects } from "./subjects.ts"
import { PROTOCOL_VERSION } from "./version.ts"

/**
 * What daemon and env process say to each other beside calls: the first line on the env process's stdin, its hello,
 * and requests about code on the control subject. All of it is JSON.
 */

/** First and only line on stdin. It holds secrets, which therefore are in no argument and no environment variable. */
export interface EnvBootstrap {
  readonly protocol: number
  readonly env: string
  readonly incarnation: string
  readonly bootId: string
  readonly subjects: EnvSubjects
  readonly broker: {
    readonly url: string
    readonly user?: string
    readonly password?: string
    readonly credentialsFile?: string
  }
  readonly threadsMax: number
  /** A call that blocks the loop for longer is told of; 0 for never. */
  readonly loopBlockMs: number
  /** Of arguments, and of a result. */
  readonly payloadBytesMax: number
  /** Where its stderr leads to. */
  readonly logFile: string
  /** A file to be mapped (served-words.ts), where the system can share memory. */
  readonly served?: string
  /** The daemon's token, where the user gave one: then it stands in no file. */
  readonly token?: string
}

/**
 * Payload of the hello frame with which an env process reports that it can be reached: when it is ready, after each of
 * its reconnections, and when it is asked (`greet`). A message of its own.
 */
export interface EnvHello {
  readonly protocol: number
  readonly incarnation: string
  readonly pid: number
  /** How often it has connected to the broker. A change means that messages may have been dropped, either way. */
  readonly connections: number
}

/** Where the watchdog of an env process writes: the other end is the daemon's. */
export const WATCH_FD = 3

/** A line of the watchdog: the loop has been blocked for so long, and still is. */
export interface WatchLine {
  /** The call that blocks it, where that is certain, and the number of its function, plus 1. */
  readonly id?: number
  readonly functionNumber?: number
  readonly ms: number
}

/** Load the module at `path`; from now on `index` names what is made of one of its exports in calls. */
export interface LoadRequest extends LoadedAs {
  readonly op: "load"
  readonly index: number
  readonly name: string
  readonly run: Place
  readonly path: string
  /** For the top-level code of the module. */
  readonly timeoutMs: number
}

/** What calls of an index reach. */
export interface LoadedAs {
  /**
   * A function; the static methods of a class; a new instance of a class, in one place and yet to be constructed; or a
   * module's values. A module is answered with a description of its exports.
   */
  readonly as: "function" | "statics" | "instance" | "module"
  /** Name of the export. All that is loaded of a module's code by other exports than the default shares one copy. */
  readonly export: string
}

/** Forget what `index` names. Not answered. */
interface UnloadRequest {
  readonly op: "unload"
  readonly index: number
}

/**
 * The process serves the function by this number from here on, or, without one, not any more; without a name, it serves
 * none, and is told anew. By that it knows which calls of its own functions it may run itself. Not answered.
 */
export interface ServeRequest {
  readonly op: "serve"
  /** In shared memory (served-words.ts) while this is the last word. */
  readonly edition: number
  readonly name?: string
  readonly index?: number
}

/** Say hello again: the daemon was away from the broker and may have missed it. Not answered otherwise. */
export interface GreetRequest {
  readonly op: "greet"
}

/** Show that the event loop is not blocked: answered, and nothing else. */
interface PingRequest {
  readonly op: "ping"
}

export type ControlRequest = LoadRequest | UnloadRequest | ServeRequest | GreetRequest | PingRequest
export type ControlReply =
  | { readonly ok: true; readonly value?: unknown }
  | { readonly ok: false; readonly error: ErrorRecord }

export function readEnvBootstrap(input: unknown): EnvBootstrap {
  const fields = new Fields("the first line for an env process", input)
  const token = fields.optionalText("token")
  const served = fields.optionalText("served")
  const bootstrap: EnvBootstrap = {
    protocol: fields.integer("protocol", PROTOCOL_VERSION, PROTOCOL_VERSION),
    env: fields.text("env"),
    incarnation: fields.text("incarnation"),
    bootId: fields.text("bootId"),
    subjects: fields.required("subjects", (subjects) => ({
      calls: subjects.text("calls"),
      control: subjects.text("control"),
      replies: subjects.text("replies"),
      nested: subjects.text("nested"),
      answers: subjects.text("answers"),
    })),
    broker: fields.required("broker", (broker) => {
      const user = broker.optionalText("user")
      const password = broker.optionalText("password")
      const credentialsFile = broker.optionalText("credentialsFile")
      return {
        url: broker.text("url"),
        ...(user !== undefined && { user }),
        ...(password !== undefined && { password }),
        ...(credentialsFile !== undefined && { credentialsFile }),
      }
    }),
    threadsMax: fields.integer("threadsMax", 1, 1_024, 1),
    loopBlockMs: fields.integer("loopBlockMs", 0, LOOP_BLOCK_MS_MAX, LOOP_BLOCK_MS_DEFAULT),
    payloadBytesMax: fields.integer("payloadBytesMax", PAYLOAD_BYTES_MAX, ENV_PAYLOAD_BYTES_MAX),
    logFile: fields.text("logFile"),
    ...(served !== undefined && { served }),
    ...(token !== undefined && { token }),
  }
  fields.done()
  return bootstrap
}

export function readEnvHello(input: unknown): EnvHello {
  const fields = new Fields("the hello of an env process", input)
  return {
    protocol: fields.integer("protocol", 0, 0xffff),
    incarnation: fields.text("incarnation"),
    pid: fields.integer("pid", 1, 0x7fff_ffff),
    connections: fields.integer("connections", 1, Number.MAX_SAFE_INTEGER),
  }
}

export function readWatchLine(input: unknown): WatchLine {
  const fields = new Fields("a line of a watchdog", input)
  const id = fields.integer("id", 0, 0xffff_ffff, CONNECTION_ID)
  const functionNumber = fields.integer("functionNumber", 0, 0xffff_ffff, 0)
  return {
    ...(id !== CONNECTION_ID && { id }),
    ...(functionNumber !== 0 && { functionNumber }),
    ms: fields.integer("ms", 0, Number.MAX_SAFE_INTEGER),
  }
}

export function readControlRequest(input: unknown): ControlRequest {
  const fields = new Fields("a control request", input)
  const op = fields.oneOf("op", ["load", "unload", "serve", "greet", "ping"])
  if (op === "greet" || op === "ping") {
    fields.done()
    return { op }
  }
  if (op === "serve") return readServeRequest(fields)
  const index = fields.integer("index", 0, 0xffff_ffff)
  if (op === "unload") {
    fields.done()
    return { op, index }
  }
  const request: LoadRequest = {
    op,
    index,
    ...readLoadedAs(fields),
    name: fields.text("name"),
    run: fields.oneOf("run", PLACES),
    path: fields.text("path"),
    timeoutMs: fields.integer("timeoutMs", 1, DEPLOY_TIMEOUT_MS_MAX, DEPLOY_TIMEOUT_MS_DEFAULT),
  }
  fields.done()
  return request
}

function readServeRequest(fields: Fields): ServeRequest {
  const edition = fields.integer("edition", -(2 ** 31), 2 ** 31 - 1)
  const name = fields.optionalText("name")
  const index = fields.integer("index", 0, 0xffff_ffff, 0xffff_ffff)
  fields.done()
  return {
    op: "serve",
    edition,
    ...(name !== undefined && { name }),
    ...(index !== 0xffff_ffff && { index }),
  }
}

export function readLoadedAs(fields: Fields): LoadedAs {
  return {
    as: fields.oneOf("as", LOADED_AS),
    export: fields.text("export"),
  }
}

const LOADED_AS = ["function", "statics", "instance", "module"] as const

/** What a control reply carries. Throws the error of one that reports one. */
export function readControlReply(input: unknown): unknown {
  const fields = new Fields("a control reply", input)
  if (fields.flag("ok")) return fields.unknown("value")
  throw fromErrorRecord(fields.unknown("error"))
}
