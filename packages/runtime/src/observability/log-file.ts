import { closeSync, openSync, renameSync, writeSync } from 'node:fs'
import type { LogOutput } from './log.ts'

/** Enough for weeks of a small hub, or for the last hour of one in trouble. With the file before, the disk holds twice as much. */
const bytesMax = 10 * 1024 * 1024

/**
 * A new file for this start. The one before is kept beside it as `PATH.1`, and is replaced when this one is full. Only the owner may
 * read it. Throws the error of the system when it cannot be opened.
 */
export function openLogFile(path: string, limits = { bytesMax }): LogOutput & Disposable {
  moveAside(path)
  let file = openSync(path, 'wx', 0o600)
  let bytes = 0
  let isOpen = true

  /** If it fails, the old file goes on: the next line tries again. */
  const startNext = () => {
    try {
      moveAside(path)
      const next = openSync(path, 'w', 0o600)
      closeSync(file)
      file = next
      bytes = 0
    } catch {
      // Such as a folder that became read-only.
    }
  }
  return {
    write(line) {
      if (!isOpen) return
      try {
        if (bytes + Buffer.byteLength(line) > limits.bytesMax) startNext()
        bytes += writeSync(file, line)
      } catch {
        // A full disk must not stop the hub. The line is lost, and the next one is tried again.
      }
    },
    [Symbol.dispose]() {
      if (isOpen) closeSync(file)
      isOpen = false
    },
  }
}

function moveAside(path: string): void {
  try {
    renameSync(path, `${path}.1`)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
}
