// The program that a blocking call starts. It makes one HTTP request and ends.
//
//   stdin:  u32 length of the head, JSON head { url, token, type }, body of the request
//   stdout: the body of the answer
//   exit:   0 answered with status 200 and of the type that was asked for; 10 answered otherwise (a daemon says why, in
//           JSON); 11 nobody answered (stderr says why)
//
// It is plain JavaScript without imports, because its start is most of what a blocking call costs.
const input = await Bun.stdin.bytes()
const headLength = new DataView(input.buffer, input.byteOffset).getUint32(0, true)
const head = JSON.parse(new TextDecoder().decode(input.subarray(4, 4 + headLength)))
let exitCode = 0
try {
  const response = await fetch(head.url, {
    method: "POST",
    headers: { authorization: `Bearer ${head.token}`, "content-type": head.type },
    body: input.subarray(4 + headLength),
    // The parent ends this program at the deadline; Bun's own limit is shorter than some calls.
    timeout: false,
    proxy: false,
    // No daemon sends on. What was sent to one place says nothing of another.
    redirect: "manual",
  })
  // Whoever answers with another type is no daemon, whatever its status.
  const isAnswer = response.status === 200 && response.headers.get("content-type") === head.type
  if (!isAnswer) exitCode = 10
  await Bun.write(Bun.stdout, await response.bytes())
} catch (error) {
  exitCode = 11
  await Bun.write(
    Bun.stderr,
    JSON.stringify({ code: String(error.code ?? ""), message: String(error.message ?? error) }),
  )
}
process.exit(exitCode)
