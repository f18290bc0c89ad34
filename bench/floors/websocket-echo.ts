/** A bare WebSocket echo, and a bare HTTP echo on the same port, which it prints. */
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(request, self) {
    if (self.upgrade(request)) return undefined
    return new Response(await request.bytes())
  },
  websocket: {
    message(socket, message) {
      socket.send(message)
    },
  },
})
console.log(server.port)
