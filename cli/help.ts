import { EXIT_CODES } from "./exit-codes.ts"

/** What the help of one command says beside its options. */
export interface CommandHelp {
  readonly summary: string
  /** Command lines and what they do; they stand first, because most readers look for one to copy. */
  readonly examples: readonly (readonly [line: string, what: string])[]
  /** Stands behind the options. */
  readonly notes?: string
  /** Exit codes that the command can end with. */
  readonly exits: readonly number[]
}

export const COMMANDS = {
  start: {
    summary: "Start the daemon in the background, unless it runs already",
    examples: [
      ["bunhouse start", "returns when calls are accepted"],
      ["bunhouse start --port 9000", "listens there instead of on 7420"],
      ["BUNHOUSE_HOME=/tmp/bh bunhouse start --port 0", "a second daemon, on any free port"],
      ["bunhouse start --foreground", "runs here, with its log, until Ctrl-C"],
    ],
    exits: [0, 2, 3, 6, 70, 130],
  },
  stop: {
    summary: "Stop the daemon; running calls may end first",
    examples: [
      ["bunhouse stop", "returns when the process is gone"],
      ["bunhouse stop --timeout 1m", "gives it a minute before it is ended by force"],
      ["bunhouse stop --timeout 0", "ends it at once"],
    ],
    notes: "No daemon is no error. A process that is not this daemon is never sent a signal.",
    exits: [0, 2, 6, 70],
  },
  restart: {
    summary: "Stop the daemon if it runs, and start it; functions stay",
    examples: [
      ["bunhouse restart", "returns when calls are accepted again, at the same address"],
      ["bunhouse restart --port 9000", "moves it"],
    ],
    exits: [0, 2, 3, 6, 70, 130],
  },
  status: {
    summary: "Show the daemon, its broker and its envs",
    examples: [
      ["bunhouse status", ""],
      ["bunhouse status --json | jq .envs", ""],
      ["bunhouse status > /dev/null || bunhouse start", ""],
    ],
    exits: [0, 3, 7, 8, 70],
  },
  logs: {
    summary: "Show the daemon's log, or what an env wrote",
    examples: [
      ["bunhouse logs", "the last 100 lines of the daemon's log"],
      ["bunhouse logs default -f", "what functions of the env `default` write, as it comes"],
      ["bunhouse logs default --call 1f3a5c7e-2b", "what one call printed; errors tell the id"],
      ["bunhouse logs -f -n 0 --json", "new entries of the daemon's log as JSON lines"],
    ],
    notes:
      "Control characters are shown as escapes. With --json each line is one JSON document; what a program or a crash\n" +
      'wrote becomes {"text": …}. Logs are files in the state folder, at most three of 10 MiB each: no daemon needs to run.',
    exits: [0, 2, 4, 70, 130],
  },
  deploy: {
    summary: "Send a module, or one function or class of it, to an env",
    examples: [
      ["bunhouse deploy jobs.ts", "all that it exports, called as jobs.<export>"],
      ["bunhouse deploy jobs.ts:resize --env images", "one function or class"],
      ["bunhouse deploy jobs.ts --watch", "and again on each save, until Ctrl-C"],
      ["bunhouse deploy jobs.ts --json | jq -r .info.version", ""],
    ],
    notes:
      "What it imports goes along. Sending the same again changes nothing; what cannot be sent or loaded leaves the version\n" +
      "that was there. With --watch that is told, and the next save tries again; with --json each time is one line of JSON.\n" +
      "A single function or class is found by loading the file, in a process of its own; a module is not loaded here.",
    exits: [0, 2, 3, 4, 5, 6, 7, 8, 9, 70, 130],
  },
  call: {
    summary: "Call a function that was sent, and print what it returns as JSON",
    examples: [
      ["bunhouse call math/add 1 2", "two numbers"],
      ["bunhouse call math/add '[1, 2]'", "the same: one JSON list is all the arguments"],
      ["bunhouse call math/sum '[[1, 2]]'", "one argument that is a list"],
      ["bunhouse call greet Ada --timeout 2s", "a text, to a function of the env `default`"],
      ["bunhouse call math/abs -- -x", "words behind -- are no options"],
      [
        "bunhouse call pages/crawl | head -n 5",
        "items of a generator, one JSON line each, as they come",
      ],
    ],
    notes:
      "Each word is one argument: as JSON where it is JSON, else as the text it is; the text 2 is written '\"2\"'.\n" +
      "What the function throws is printed to stderr with the stack it had where it ran.",
    exits: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 70, 130],
  },
  map: {
    summary: "Call a function for every line of a file, and print the results as JSON lines",
    examples: [
      ["bunhouse map math/square --file numbers.ndjson > squares.ndjson", ""],
      ["seq 1000 | bunhouse map math/square --concurrency 100", "items from stdin"],
      ["bunhouse map web/fetchPage --file urls.ndjson --settled", "goes on after a failure"],
      ["bunhouse map math/add --file pairs.ndjson --spread", "lines such as [1, 2]"],
    ],
    notes:
      "Each line is one JSON document, and one call with it as its argument. Results come in the order of the lines.\n" +
      'With --settled they are {"status": "fulfilled", "value": …} or {"status": "rejected", "reason": …}; without it\n' +
      "the first failure ends the command and cancels the other calls. Progress is drawn on stderr, if that is a terminal.",
    exits: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 70, 130],
  },
  jobs: {
    summary: "List the jobs that the daemon keeps, newest first",
    examples: [
      ["bunhouse jobs", "the last 50"],
      ["bunhouse jobs --state running", "queued, running, succeeded, failed or cancelled"],
      ["bunhouse jobs --dead", "the dead-letter list: durable jobs that failed for good"],
      ["bunhouse jobs --json | jq -r '.jobs[].id'", ""],
    ],
    exits: [0, 2, 3, 7, 8, 70],
  },
  job: {
    summary: "Show a job, and what it returned, threw or printed",
    examples: [
      ["bunhouse job 3f0c1d", ""],
      ["bunhouse job 3f0c1d --json | jq .result", ""],
      ["bunhouse job 3f0c1d --cancel", "ends it; one that waits never runs"],
      ["bunhouse job 3f0c1d --logs", "what it printed, all attempts"],
      ["bunhouse job 3f0c1d --logs -f", "and what it prints, until it has ended"],
    ],
    notes:
      "A job that failed exits as a call that fails alike; with --logs it is 0 whatever became of the job.\n" +
      "Lines come within a second. Of a job that prints much the last 256 KiB are kept; with --json each is a document.",
    exits: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 70],
  },
  ls: {
    summary: "List the functions that were sent, by env",
    examples: [
      ["bunhouse ls", ""],
      ["bunhouse ls --json | jq -r '.functions[].name'", ""],
    ],
    exits: [0, 3, 7, 8, 70],
  },
  bench: {
    summary: "Measure calls of the daemon that runs",
    examples: [
      ["bunhouse bench", "one call at a time, and 256 in flight"],
      ["bunhouse bench --flights 1024 --time 10s --json", ""],
    ],
    notes:
      "The caller shares the machine with the daemon and with whatever runs in its envs; the env that is measured is\n" +
      "removed again. Figures against other systems, in one run: `bun run bench` in the repository.",
    exits: [0, 2, 3, 6, 7, 8, 9, 70],
  },
  version: {
    summary: "Print the version",
    examples: [
      ["bunhouse version", ""],
      ["bunhouse version --json", "with the versions of protocol and Bun"],
    ],
    exits: [0],
  },
} as const satisfies Readonly<Record<string, CommandHelp>>

export type CommandName = keyof typeof COMMANDS

export const ROOT_EXAMPLES: CommandHelp["examples"] = [
  ["bunhouse start", "starts the daemon"],
  ["bunhouse deploy jobs.ts", "sends what a file exports; programs send functions by themselves"],
  ["bunhouse ls", "lists what was sent"],
  ["bunhouse call math/add 1 2", "calls one of them"],
  ["bunhouse status", "shows what runs"],
]

export const ENVIRONMENT_HELP = `Environment:
  BUNHOUSE_HOME         state folder (~/.bunhouse)
  BUNHOUSE_HOST, _PORT  where the daemon listens (127.0.0.1, 7420)
  BUNHOUSE_URL          daemon that status, ls, call, jobs and job ask, instead of the one of this machine
  BUNHOUSE_TOKEN        its token, instead of the token file in the state folder
  BUNHOUSE_NATS_SERVER  the nats-server to start;  BUNHOUSE_NATS_URL: a cluster to use instead
  NO_COLOR              no colours`

export function examplesText(examples: CommandHelp["examples"]): string {
  const width = Math.max(...examples.map(([line]) => line.length))
  const lines = examples.map(([line, what]) => `  ${line.padEnd(width)}   ${what}`.trimEnd())
  return ["Examples:", ...lines, ""].join("\n")
}

export function exitCodesText(exits: readonly number[]): string {
  const lines = exits.map((exit) => `  ${String(exit).padStart(3)}  ${EXIT_CODES[exit]}`)
  return ["Exit codes:", ...lines].join("\n")
}
