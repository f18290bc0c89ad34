/** An HTTP proxy that answers for everybody, and the variables that name it: who asks the daemon directly never meets it. */
export interface HttpProxy extends Disposable {
  readonly variables: Readonly<Record<string, string>>
  /** URL and authorization of each request. */
  readonly seen: string[]
}

export function startHttpProxy(): HttpProxy {
  const seen: string[] = []
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => {
      seen.push(`${request.url} ${request.headers.get("authorization")}`)
      return new Response("from the proxy", { status: 502 })
    },
  })
  const url = `http://127.0.0.1:${server.port}`
  return {
    variables: { HTTP_PROXY: url, http_proxy: url, HTTPS_PROXY: url, ALL_PROXY: url },
    seen,
    [Symbol.dispose]: () => void server.stop(true),
  }
}
