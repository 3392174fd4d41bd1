import { randomUUID } from 'node:crypto'
import type { CallerMessage, CallResult, DeviceCall, GatewayMessage } from './calls.ts'
import type { Channels } from './channels.ts'

/** A gateway that has not accepted a call after this time counts as lost. */
const acceptTimeoutMs = 3_000
/** A gateway that is silent for so long after the response timeout counts as lost. */
const graceMs = 5_000

export interface Caller {
  /**
   * Calls the devices and yields their results as they come, exactly one for each. Ends early, without the missing
   * results, when the signal aborts. Every wait ends: a silent gateway yields `gatewayLost`.
   */
  callDevices(call: DeviceCall, signal: AbortSignal): AsyncIterable<readonly CallResult[]>
}

type Sink = (message: CallerMessage) => void

/** Listens for the answers of gateways, on a channel of this process. */
export async function createCaller(channels: Channels): Promise<Caller> {
  const address = randomUUID()
  const sinks = new Map<string, Sink>()
  await channels.subscribe(`caller:${address}`, (text) => {
    const message: CallerMessage = JSON.parse(text)
    sinks.get(message.callId)?.(message)
  })

  return {
    callDevices(call, signal) {
      const callId = randomUUID()
      const open = new Set(call.identities)
      let timer: NodeJS.Timeout | undefined
      let close = () => {}

      const end = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', end)
        if (sinks.delete(callId)) close()
      }
      return new ReadableStream<readonly CallResult[]>({
        start(stream) {
          close = () => stream.close()
          const giveUp = () => {
            const lost = [...open].map((identity) => ({ identity, kind: 'gatewayLost' }) as const)
            open.clear()
            if (lost.length > 0 && sinks.has(callId)) stream.enqueue(lost)
            end()
          }
          sinks.set(callId, (message) => {
            if (message.kind === 'accepted') {
              clearTimeout(timer)
              timer = setTimeout(giveUp, call.responseTimeoutSeconds * 1000 + graceMs)
              return
            }
            const results = message.results.filter(({ identity }) => open.delete(identity))
            if (results.length > 0) stream.enqueue(results)
            if (open.size === 0) end()
          })
          if (open.size === 0 || signal.aborted) return end()
          signal.addEventListener('abort', end, { once: true })
          timer = setTimeout(giveUp, acceptTimeoutMs)
          const message: GatewayMessage = { kind: 'call', callId, caller: address, call }
          channels
            .publish(`gateway:${call.gatewayId}`, JSON.stringify(message))
            .then((receivers) => receivers === 0 && giveUp(), giveUp)
        },
        cancel() {
          close = () => {}
          end()
        },
      })
    },
  }
}
