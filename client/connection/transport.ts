/** What carries the messages of a connection to the daemon and back. */
export interface Transport {
  /** Larger batches are not made, unless a single frame is larger. */
  readonly messageBytesMax: number
  /**
   * Opens a channel. Undefined when `isWanted` no longer holds.
   *
   * @throws {BunhouseError} when the daemon cannot be reached, or refuses.
   */
  dial(isWanted: () => boolean): Promise<Channel | undefined>
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
