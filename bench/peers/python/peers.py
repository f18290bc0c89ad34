#!/usr/bin/env python3
"""The same echo through Runhouse or Ray, on the machine on which `bun run bench` runs.

    python3 -m venv /tmp/peers && . /tmp/peers/bin/activate
    pip install runhouse==0.0.43 && runhouse restart && python bench/peers/python/peers.py runhouse
    pip install ray==2.58.0                          && python bench/peers/python/peers.py ray

Prints a line of JSON for each figure, as `bun run bench --json` does: one call at a time (p50 in microseconds), and calls per
second with 64 and 256 in flight. Replies are verified; a wrong one ends the run. Figures of one machine at one time can be
compared with each other only: run it right before or after `bun run bench`.
"""

import argparse
import asyncio
import json
import statistics
import time

ROUNDS = 5
CALLS_ONE_AT_A_TIME = 500
FLIGHTS = (64, 256)
FLIGHT_SECONDS = 1.0


async def echo(x):
    return x


def runhouse_call():
    """A function in the local daemon, awaited, without its logs: streaming them costs each call."""
    import runhouse as rh

    remote = rh.function(echo).to(rh.here)
    return lambda i: remote(i, stream_logs=False)


def ray_call():
    """An actor with a loop of its own, as an env process is; a task would take a process for itself."""
    import ray

    ray.init(include_dashboard=False, log_to_driver=False)

    @ray.remote
    class Echo:
        async def echo(self, x):
            return x

    actor = Echo.options(max_concurrency=max(FLIGHTS)).remote()

    async def call(i):
        return await actor.echo.remote(i)

    return call


async def verified(call, i):
    reply = await call(i)
    if reply != i:
        raise RuntimeError(f"a wrong reply: {reply!r} to {i}")


async def one_at_a_time(call):
    latencies = []
    for i in range(CALLS_ONE_AT_A_TIME):
        start = time.perf_counter_ns()
        await verified(call, i)
        latencies.append((time.perf_counter_ns() - start) / 1_000)
    return statistics.median(latencies)


async def in_flight(call, flights):
    done = 0
    start = time.perf_counter()

    async def fly():
        nonlocal done
        while time.perf_counter() < start + FLIGHT_SECONDS:
            await verified(call, done)
            done += 1

    await asyncio.gather(*(fly() for _ in range(flights)))
    return done / (time.perf_counter() - start)


async def measure(peer, call):
    figures = {(f"{peer}, one at a time, p50", "us"): lambda: one_at_a_time(call)}
    for flights in FLIGHTS:
        name = f"{peer}, {flights} in flight"
        figures[name, "calls/s"] = lambda flights=flights: in_flight(call, flights)
    taken = {figure: [] for figure in figures}
    for round_number in range(ROUNDS + 1):
        for figure, run in figures.items():
            value = await run()
            # The first round warms up.
            if round_number > 0:
                taken[figure].append(value)
    for (name, unit), values in taken.items():
        line = {"name": name, "unit": unit, "value": statistics.median(values)}
        print(json.dumps({**line, "min": min(values), "max": max(values)}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("peer", choices=["runhouse", "ray"])
    chosen = parser.parse_args().peer
    asyncio.run(measure(chosen, {"runhouse": runhouse_call, "ray": ray_call}[chosen]()))
