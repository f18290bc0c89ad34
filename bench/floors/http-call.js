// The least a blocking call by a program must do: start Bun, read stdin, make one HTTP call, write the answer.
const body = await Bun.stdin.bytes()
const response = await fetch(process.argv[2], { method: "POST", body })
await Bun.write(Bun.stdout, await response.bytes())
