import { randomUUID } from 'node:crypto'
import { type CallerMessage, type CallResult, callVersion, type DeviceCall, type GatewayMessage } from './calls.ts'
import type { Channels } from './channels.ts'
import { createWaits, type Waits } from './waits.ts'

/** A gateway that is silent is asked again. It remembers its calls, so that no device gets one twice. */
const askAgainMs = 1_500
/** The gateway itself reports the end of the response timeout. So long after it, its report is missed. */
const graceMs = 1_000

interface CallOptions {
  /** Ends the call early, without the missing results. */
  readonly signal: AbortSignal
  /** How often a silent gateway is asked before it counts as lost, 1.5 s apart. */
  readonly asksMax: number
}

export interface Caller {
  /** Calls the devices and yields their results as they come, exactly one for each. Every wait ends: a silent gateway yields `gatewayLost`. */
  callDevices(call: DeviceCall, options: CallOptions): AsyncIterable<readonly CallResult[]>
}

type Sink = (message: CallerMessage) => void

/** Listens for the answers of gateways, on a channel of this process. */
export async function createCaller(channels: Channels): Promise<Caller> {
  const address = randomUUID()
  const sinks = new Map<string, Sink>()
  const waits = createWaits()
  await channels.subscribe(`caller:${address}`, (text) => {
    const message: CallerMessage = JSON.parse(text)
    sinks.get(message.askId)?.(message)
  })

  return {
    callDevices(call, options) {
      const askId = randomUUID()
      let end = () => {}
      return new ReadableStream<readonly CallResult[]>({
        start(stream) {
          const asking = startAsking(call, options, {
            waits,
            publish: (open) => {
              const message: GatewayMessage = { kind: 'call', version: callVersion, askId, caller: address, call: open }
              return channels.publish(`gateway:${call.gatewayId}`, JSON.stringify(message))
            },
            yieldResults: (results) => stream.enqueue(results),
            onEnd: () => sinks.delete(askId) && stream.close(),
          })
          end = () => {
            sinks.delete(askId)
            asking.end()
          }
          sinks.set(askId, asking.hear)
          asking.begin()
        },
        cancel: () => end(),
      })
    },
  }
}

interface Asking {
  begin(): void
  hear(message: CallerMessage): void
  end(): void
}

/** Asks until each device has a result, the gateway is lost, or the signal aborts. */
function startAsking(
  call: DeviceCall,
  { signal, asksMax }: CallOptions,
  {
    waits,
    publish,
    yieldResults,
    onEnd,
  }: {
    waits: Waits
    /** Resolves with the number of listeners. */
    publish: (open: DeviceCall) => Promise<number>
    yieldResults: (results: readonly CallResult[]) => void
    onEnd: () => void
  },
): Asking {
  const open = new Map(call.targets.map((target) => [target.identity, target]))
  const deliveredAtMs = new Map<string, number>()
  let cancelWait = () => {}
  let hasEnded = false
  /** Asks since the gateway was heard last. */
  let unheard = 0
  let mayHaveArrived = false

  const end = () => {
    if (hasEnded) return
    hasEnded = true
    cancelWait()
    signal.removeEventListener('abort', end)
    onEnd()
  }
  const giveUp = (kind: 'noGateway' | 'gatewayLost') => {
    const lost = [...open.keys()].map((identity) => ({ identity, kind, ...timeOf(deliveredAtMs.get(identity)) }))
    open.clear()
    if (lost.length > 0) yieldResults(lost)
    end()
  }
  const askAfter = (ms: number) => {
    cancelWait()
    cancelWait = waits.start(ms, ask)
  }
  const ask = () => {
    // By count and not by a clock: when this process was frozen, the answers wait to be read.
    if (unheard >= asksMax) return giveUp('gatewayLost')
    unheard += 1
    askAfter(askAgainMs)
    publish({ ...call, targets: [...open.values()] }).then(
      (listeners) => {
        if (listeners === 0) giveUp(mayHaveArrived ? 'gatewayLost' : 'noGateway')
        else mayHaveArrived = true
      },
      // Redis is away, and the gateway cannot answer. It may have got the message all the same.
      () => {
        mayHaveArrived = true
      },
    )
  }

  return {
    begin() {
      if (open.size === 0 || signal.aborted) return end()
      signal.addEventListener('abort', end, { once: true })
      ask()
    },
    hear(message) {
      unheard = 0
      if (message.kind === 'refused') return giveUp('noGateway')
      if (message.kind === 'accepted') return askAfter(call.responseTimeoutSeconds * 1000 + graceMs)
      const results: CallResult[] = []
      for (const progress of message.progress) {
        if (progress.kind === 'delivered') deliveredAtMs.set(progress.identity, progress.deliveredAtMs)
        else if (open.delete(progress.identity)) results.push(progress)
      }
      if (results.length > 0) yieldResults(results)
      if (open.size === 0) end()
    },
    end,
  }
}

function timeOf(deliveredAtMs: number | undefined): { deliveredAtMs?: number } {
  return deliveredAtMs === undefined ? {} : { deliveredAtMs }
}
