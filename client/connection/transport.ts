/** What carries the messages of a connection to the daemon and back. */
export interface Transport {
  /** Larger batches are not made, unless a single frame is larger. */
  readonly messageBytesMax: number
  /**
   * Opens a channel, at once where that takes no time. Undefined when `isWanted` no longer holds.
   *
   * @throws {BunhouseError} when the daemon cannot be reached, or refuses.
   */
  dial(isWanted: () => boolean): Channel | Promise<Channel | undefined>
}

/** One life of a connection. */
export interface Channel {
  /** The bytes must not change any more. What cannot be sent because the channel has ended is dropped. */
  send(message: Uint8Array): void
  /** While referenced, the channel keeps the process alive. */
  ref(): void
  unref(): void
  close(): void
}

export interface ChannelHandlers {
  /**
   * The bytes belong to the receiver. What it throws ends the channel. `bootId` is in the ids of the calls that they are
   * about, where that is not the daemon's.
   */
  message(bytes: Buffer, bootId?: string): void
  /** Called once, whoever closed. */
  closed(reason: string): void
}

export type OpenTransport = (handlers: ChannelHandlers) => Transport

/** How a thread that is blocked hears what its transport brings. */
export interface ThreadWait {
  /** The thread waits for an answer to what it says next. */
  begin(): void
  /** Blocks the thread until something comes, for `ms` at most, and takes it in. */
  wait(ms: number): void
}

/** The way of an env process, or of one of its threads, to its own daemon. */
export interface OwnWay {
  readonly open: OpenTransport
  /** Where blocking calls are allowed. */
  readonly wait?: ThreadWait
}
