/** Another way to run a function somewhere else, with its documented fast settings. */
export interface Peer extends AsyncDisposable {
  /** One echo of `i`. Rejects when the reply is wrong. */
  readonly call: (i: number) => Promise<void>
}
