import { randomUUID } from 'node:crypto'
import { type CallerMessage, type CallResult, callVersion, type DeviceCall, type GatewayMessage } from './calls.ts'
import type { Channels } from './channels.ts'
import { channelOf } from './gateway-door.ts'
import { createWaits, type Waits } from './waits.ts'

/** A gateway that is silent is asked again. It remembers its calls, so that no device gets one twice. */
const askAgainMs = 1_500
/**
 * How many asks it takes, 1.5 s apart, until the gateway counts as lost: asks that it does not answer, and asks that Redis did not take.
 * `short`: a person waits. `long`: a gateway that is gone is known after 20 s, and Redis may be away for ten minutes.
 */
const asksMax = { short: { silent: 2, away: 2 }, long: { silent: 16, away: 400 } } as const
/** The gateway itself reports the end of the response timeout. So long after it, its report is missed. */
const graceMs = 1_000

interface CallOptions {
  /** Ends the call early, without the missing results. */
  readonly signal: AbortSignal
  readonly patience: 'short' | 'long'
}

export interface Caller {
  /** Calls the devices and yields their results as they come, exactly one for each. Every wait ends: a silent gateway yields `gatewayLost`. */
  callDevices(call: DeviceCall, options: CallOptions): AsyncIterable<readonly CallResult[]>
}

/** How soon it is noticed that a gateway is gone that has accepted a call. The response timeout may be five minutes. */
const lookEveryMs = 5_000

/** Listens for the answers of gateways, on a channel of this process. */
export async function createCaller(channels: Channels): Promise<Caller & { close(): void }> {
  const address = randomUUID()
  const askings = new Map<string, Asking>()
  const waits = createWaits()
  await channels.subscribe(`caller:${address}`, (text) => {
    const message: CallerMessage = JSON.parse(text)
    askings.get(message.askId)?.hear(message)
  })
  const askSoon = (isWanted: (asking: Asking) => boolean) => {
    for (const asking of askings.values()) if (isWanted(asking)) asking.askSoon()
  }
  channels.onReturn(() => askSoon(() => true))
  const look = async () => {
    const waited = [...new Set([...askings.values()].map(({ channel }) => channel))]
    if (waited.length === 0) return
    // Without Redis nobody can tell. The next look may.
    const deserted = await channels.findDeserted(waited).catch((): readonly string[] => [])
    askSoon(({ channel }) => deserted.includes(channel))
  }
  const looking = setInterval(look, lookEveryMs).unref()

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
              return channels.publish(channelOf(call.gatewayId), JSON.stringify(message))
            },
            yieldResults: (results) => stream.enqueue(results),
            onEnd: () => askings.delete(askId) && stream.close(),
          })
          end = () => {
            askings.delete(askId)
            asking.end()
          }
          askings.set(askId, asking)
          asking.begin()
        },
        cancel: () => end(),
      })
    },
    close: () => clearInterval(looking),
  }
}

interface Asking {
  /** That of the gateway. */
  readonly channel: string
  begin(): void
  hear(message: CallerMessage): void
  /** What the gateway has said meanwhile may be lost. */
  askSoon(): void
  end(): void
}

/** Asks until each device has a result, the gateway is lost, or the signal aborts. */
function startAsking(
  call: DeviceCall,
  { signal, patience }: CallOptions,
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
  /** Asks since the gateway was heard last, by whether Redis took them. */
  let unheard = { silent: 0, away: 0 }
  let mayHaveArrived = false

  const end = () => {
    if (hasEnded) return
    hasEnded = true
    cancelWait()
    signal.removeEventListener('abort', end)
    onEnd()
  }
  const giveUp = (kind: 'noGateway' | 'gatewayLost') => {
    if (hasEnded) return
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
    const { silent, away } = asksMax[patience]
    if (unheard.silent >= silent || unheard.away >= away) return giveUp('gatewayLost')
    askAfter(askAgainMs)
    publish({ ...call, targets: [...open.values()] }).then(
      (listeners) => {
        unheard = { silent: unheard.silent + 1, away: 0 }
        // Later a gateway without a listener may just have lost Redis, and come back.
        if (listeners > 0) mayHaveArrived = true
        else if (!mayHaveArrived) giveUp('noGateway')
      },
      // Redis is away, and the gateway cannot answer. It may have got the message all the same.
      () => {
        unheard = { ...unheard, away: unheard.away + 1 }
        mayHaveArrived = true
      },
    )
  }

  return {
    channel: channelOf(call.gatewayId),
    begin() {
      if (open.size === 0 || signal.aborted) return end()
      signal.addEventListener('abort', end, { once: true })
      ask()
    },
    hear(message) {
      unheard = { silent: 0, away: 0 }
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
    // While it asks anyway, it asks no sooner: an ask more would count as unheard.
    askSoon: () => void (unheard.silent + unheard.away === 0 && askAfter(0)),
    end,
  }
}

function timeOf(deliveredAtMs: number | undefined): { deliveredAtMs?: number } {
  return deliveredAtMs === undefined ? {} : { deliveredAtMs }
}
