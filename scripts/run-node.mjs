import { spawn } from 'node:child_process'
import { constants } from 'node:os'

/**
 * Runs a Node program in our place: passes signals on to it, waits for it and exits with its code. With `channel` it has an
 * IPC channel, which it sees closing when we are killed.
 */
export function runNode(args, { channel = false } = {}) {
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'inherit', 'inherit', ...(channel ? ['ipc'] : [])],
    // Out of the terminal's process group: see passOnSignals.
    detached: true,
  })
  passOnSignals(child)
  endWithNpm(child)
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
}

// npm answers within milliseconds; nobody presses Ctrl-C twice on purpose this fast.
const SAME_PRESS_MS = 200

/**
 * One Ctrl-C arrives here twice, from the terminal and from npm, and "twice Ctrl-C" means "at once" to the child: so the child
 * is out of the terminal's reach, and gets one signal for each press.
 */
function passOnSignals(child) {
  let lastAt = Number.NEGATIVE_INFINITY
  const passOn = (signal) => {
    const now = performance.now()
    if (now - lastAt > SAME_PRESS_MS) child.kill(signal)
    lastAt = now
  }
  process.on('SIGINT', () => passOn('SIGINT'))
  process.on('SIGTERM', () => passOn('SIGTERM'))
  process.on('SIGHUP', () => passOn('SIGTERM'))
}

/** npm, which started us, cannot say that it was killed; but then we get another parent. */
function endWithNpm(child) {
  const parent = process.ppid
  if (!process.env.npm_lifecycle_event) return
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    child.kill('SIGTERM')
  }, 1_000)
}
