import type { Figure, Scenario } from "../figure.ts"
import { inFlight } from "../load.ts"
import type { Stage } from "./index.ts"

/** Bytes there and back a second, in binary arguments and results, against a bare NATS request of the same size. */
export function payloads({ subject, floors, extent }: Stage): Scenario {
  const { turns } = extent
  const sizes = extent.isQuick ? [MIB] : SIZES
  const throughput = (
    name: string,
    bytes: number,
    call: (data: Uint8Array) => Promise<unknown>,
  ) => {
    const data = crypto.getRandomValues(new Uint8Array(Math.min(bytes, 65_536)))
    const payload = new Uint8Array(bytes).map((_, i) => data[i % data.length] ?? 0)
    const measure = async () => {
      const flights = bytes > MIB ? LARGE_FLIGHTS : FLIGHTS
      const perSecond = await inFlight(() => call(payload), flights, extent.flightMs / turns)
      return (perSecond * bytes) / 1e6
    }
    return { name, unit: "MB/s", measure } satisfies Figure
  }
  return {
    name: "payloads",
    turns,
    figures: sizes.flatMap((bytes) => [
      throughput(ours(bytes), bytes, (data) => subject.echoBytes(data)),
      throughput(bare(bytes), bytes, (data) => floors.natsEcho(data)),
    ]),
    ratios: [
      {
        name: "binary echo of 1 MiB / bare nats.request()",
        of: ours(MIB),
        to: [bare(MIB)],
        goal: { atLeast: 0.6 },
      },
    ],
  }
}

function ours(bytes: number): string {
  return `binary echo of ${showBytes(bytes)}`
}

function bare(bytes: number): string {
  return `bare nats.request() of ${showBytes(bytes)}`
}

function showBytes(bytes: number): string {
  if (bytes >= MIB) return `${bytes / MIB} MiB`
  return bytes >= 1_024 ? `${bytes / 1_024} KiB` : `${bytes} B`
}

const MIB = 1_048_576
// The largest do not fit a frame: bunhouse sends them in parts, and the bare broker lets them pass as they are.
const SIZES = [16, 1_024, 65_536, MIB, 6 * MIB, 16 * MIB]
const FLIGHTS = 8
// What is in flight in the end is waited for.
const LARGE_FLIGHTS = 2
