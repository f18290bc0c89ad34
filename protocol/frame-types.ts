/** What a frame is about, and what is special about it. The numbers are the wire; they are never reused. */
export const FrameType = {
  hello: 1,
  bind: 2,
  call: 3,
  reply: 4,
  error: 5,
  cancel: 6,
  log: 7,
  items: 8,
  credit: 9,
  progress: 10,
  /** From an env process to its daemon: something that the process has noticed about itself. */
  report: 11,
  /** A part of the payload of a call or its reply. */
  part: 12,
  /** env: the arguments of a call are complete, it can run. daemon: it has a place, it shall run. */
  ready: 13,
} as const
export type FrameType = (typeof FrameType)[keyof typeof FrameType]

export const FrameFlag = {
  /** The payload is JSON text instead of the binary encoding; a reply uses the encoding of its call. */
  json: 1,
  /** call: some arguments are results of calls that are yet to be made; which ones, says a list behind the last argument. */
  later: 2,
  /** items: the last item goes on in the next frame of the stream. */
  goesOn: 2,
  /** reply, error: a sync function handed out a promise, which its thread awaited. */
  promised: 2,
  /** error: the function threw; without it the platform failed. items, with `last`: the item is what the source threw. */
  thrown: 4,
  /** error, from an env process: the instance that was called is gone, and no call can reach it any more. */
  gone: 8,
  /** call: the caller takes the result as a stream. */
  stream: 16,
  /** call: some arguments are streams; which ones, says a list behind the last argument. */
  streamedArguments: 32,
  /** items: the one item is what the source returned, and the stream ends. credit: no more items are wanted. */
  last: 64,
  /** call, reply: the payload is not in the frame, it travels in parts. */
  parts: 64,
  /** call: the caller wants what the function prints. */
  logs: 128,
} as const

/** What a report is about: its `target`. `timeoutMs` is how long or how many, `id` the call concerned or CONNECTION_ID. */
export const ReportKind = {
  /** This call has blocked the event loop, for so many ms. */
  loopBlocked: 1,
  /** The same, where other calls may have done it. */
  loopProbablyBlocked: 2,
  /** The thread that runs this call was told to end so many ms ago, and has not. */
  threadStuck: 3,
  /** So many threads were ended by force in the life of the process. */
  forcedEnds: 4,
  /** A call that the process has made to itself has left its thread, and the daemon wanted to know. */
  threadFree: 5,
} as const

/** Id of an error frame that is about the connection, not about a call. */
export const CONNECTION_ID = 0xffff_ffff

export function isFrameType(type: number): type is FrameType {
  return type <= 31 && (KNOWN_TYPES & (1 << type)) !== 0
}

/** A bit for each type. */
const KNOWN_TYPES = Object.values(FrameType).reduce((mask, type) => mask | (1 << type), 0)
