import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { FleetOptions } from '@muster/simulator'

const program = fileURLToPath(new URL('fleet-process.mjs', import.meta.url))

/** A simulated fleet in a process of its own. Disposing it ends the process, without a word to the hub. */
export interface FleetProcess extends AsyncDisposable {
  /** Resolves when all are connected: how long it took, and how often each device failed that did not succeed at once. */
  connect(): Promise<{ readonly seconds: number; readonly failures: readonly number[] }>
  disconnect(): Promise<void>
}

export async function startFleetProcess(options: FleetOptions): Promise<FleetProcess> {
  const child = fork(program, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: [] })
  const ask = async (command: string, message = {}) => {
    child.send({ command, ...message })
    const [answer] = await once(child, 'message')
    if ('failed' in answer) throw new Error(`the fleet could not ${command}: ${answer.failed}`)
    return answer.done
  }
  await ask('create', { options })
  return {
    connect: () => ask('connect'),
    disconnect: () => ask('disconnect'),
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
  }
}
