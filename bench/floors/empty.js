// Does nothing: what remains is the cost of starting Bun.
process.exitCode = 0
