/** Envs: what one may have and be sent, and how long its changes take. A part of ../limits.ts. */
import { KIB, MIB } from "./units.ts"

/** Deploy: the top-level code of a function must end within this time, unless the request says otherwise. */
export const DEPLOY_TIMEOUT_MS_DEFAULT = 30_000
export const DEPLOY_TIMEOUT_MS_MAX = 600_000

/**
 * From the moment at which the last function that uses some code is gone until the daemon deletes it from its store. A process
 * that starts meanwhile still finds the code that it was told to load. Enforced by server/envs/stored-code.ts.
 */
export const CODE_KEPT_MS = 60_000

/** An env process must report ready within this time after its start. */
export const ENV_START_TIMEOUT_MS = 10_000

/** Defaults of one env; each can be set in its spec. */
export const ENV_CONCURRENCY_DEFAULT = 16_384
export const ENV_THREADS_MAX_DEFAULT = 64
export const ENV_QUEUE_DEFAULT = 65_536

/** Methods of one class, and exports of one module. Client and daemon enforce it. */
export const MEMBERS_MAX = 1_000

/** Instances of classes in one env, each of which may have a thread of its own. The daemon refuses more. */
export const ENV_INSTANCES_MAX = 1_024

/** An instance without a name that nobody is connected to, and nobody calls, is released after this time. */
export const INSTANCE_ORPHAN_MS = 10 * 60_000

/** What an instance's own disposer gets when the daemon releases it. */
export const INSTANCE_DISPOSE_MS = 5_000

/** Memory that an env may be limited to, in MiB. Less than the least cannot even start. */
export const ENV_MEMORY_MIB_MIN = 16
export const ENV_MEMORY_MIB_MAX = 1 << 20

/** How often the daemon looks at the memory of an env process that has a limit. */
export const MEMORY_CHECK_MS = 200

/** Packages that an env names itself; what these need comes on top. */
export const PACKAGES_MAX = 500

/** Names and values of an env's variables together: the system takes 128 KiB for one. */
export const VARS_BYTES_MAX = 64 * KIB

/**
 * One shipped folder: what is in it, how many files, and the length of a path. Client and daemon enforce it. The store
 * takes some 15 MiB a second, and has STORE_TIMEOUT_MS.
 */
export const FILES_BYTES_MAX = 32 * MIB
export const FILES_COUNT_MAX = 10_000
export const FILE_PATH_BYTES_MAX = 1_024

/** Body of a request that ships a folder: the contents, and the list of paths. */
export const FILES_BODY_BYTES_MAX = FILES_BYTES_MAX + FILES_COUNT_MAX * (FILE_PATH_BYTES_MAX + 32)
export const FILES_BODY_MS_MAX = 300_000

/** Installation of the packages of an env, and its setup command. */
export const INSTALL_TIMEOUT_MS = 300_000
export const SETUP_TIMEOUT_MS = 600_000

/** What a command that failed is quoted with. */
export const OUTPUT_TAIL_BYTES_MAX = 2 * KIB

/** Env processes that were replaced and still finish calls; of one more, the oldest is ended. */
export const ENV_RETIRED_MAX = 4

/** How long a client waits for an env to be described: packages, setup, a new process, and all functions in it. */
export const ENV_CHANGE_TIMEOUT_MS = 1_200_000

/** How long an env process keeps a thread that has nothing to do. */
export const THREAD_IDLE_MS = 10_000

/** Bytes of calls waiting in the daemon for one env. */
export const ENV_QUEUE_BYTES_MAX = 256 * MIB

/** Bytes of calls that were sent to one env and not answered; while there are as many, others wait in the daemon. */
export const ENV_FLIGHT_BYTES_MAX = 256 * MIB

/** Crashes within the window after which an env is failed instead of restarted. */
export const ENV_CRASHES_MAX = 5
export const ENV_CRASH_WINDOW_MS = 60_000

/** Threads ended by force after which an env process is replaced when it is idle. */
export const FORCED_ENDS_MAX = 32

/** How long a call may block the event loop of its env before it is told of; 0 in a spec for never. */
export const LOOP_BLOCK_MS_DEFAULT = 100
export const LOOP_BLOCK_MS_MAX = 60_000

/** A loop that is blocked for so long is told of while it still is. */
export const LOOP_BLOCKED_TELL_MS = 1_000

/** The first calls of a function while which the stack of their loop is looked at; after a block there, all calls. */
export const LOOP_SAMPLED_CALLS = 16

/** It is looked at four times while a call may block, within these bounds; so seldom once there have been no calls. */
export const LOOP_SAMPLE_MS_MIN = 10
export const LOOP_SAMPLE_REST_MS = 250

/** The stack that is told of a blocked loop: its innermost frames, and the length of each. */
export const LOOP_STACK_FRAMES_MAX = 5
export const LOOP_STACK_FRAME_LENGTH_MAX = 300

/** Blocked loops that the status of an env shows. */
export const LOOP_BLOCKS_SHOWN = 5
