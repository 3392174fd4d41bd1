import type { GatewayId } from '@muster/contract'
import {
  type CallerMessage,
  type CallProgress,
  callVersion,
  type GatewayDoor,
  type GatewayMessage,
  type GatewaysMessage,
} from './calls.ts'
import type { Channels } from './channels.ts'

/** Answers are collected up to a time, a number or a size, because a message per answer would cost more than the answer. */
const collectMs = 15
const collectCount = 250
const collectBytes = 512 * 1024

/** The channel of one gateway. */
export function channelOf(gatewayId: GatewayId): string {
  return `gateway:${gatewayId}`
}

/** The channel of all gateways. */
export const gatewaysChannel = 'gateways'

/** Serves the channel of a gateway, and that of all gateways, until disposed. */
export async function serveGateway(
  channels: Channels,
  gatewayId: GatewayId,
  door: GatewayDoor,
  onError: (error: Error) => void,
): Promise<AsyncDisposable> {
  const receive = (text: string) => {
    const message: GatewayMessage | GatewaysMessage = JSON.parse(text)
    if (message.kind === 'desired') return door.pushDesired(message.push, message.toldAtMs ?? null)
    if (message.kind === 'close') return door.closeConnection(message.close)
    if (message.kind === 'drop') return door.dropCall(message.callId)

    const { version, askId, caller, call } = message
    const send = (answer: CallerMessage) => {
      // The caller notices a lost answer, and asks again.
      channels.publish(`caller:${caller}`, JSON.stringify(answer)).catch(onError)
    }
    if (version !== callVersion) return send({ kind: 'refused', askId })
    send({ kind: 'accepted', askId })
    door.call(
      call,
      collect((progress) => send({ kind: 'progress', askId, progress }), call.targets.length),
    )
  }
  const served = [channelOf(gatewayId), gatewaysChannel]
  const stops = await Promise.all(served.map((channel) => channels.subscribe(channel, receive)))
  return {
    async [Symbol.asyncDispose]() {
      await Promise.all(stops.map((stop) => stop()))
    },
  }
}

function collect(flush: (progress: readonly CallProgress[]) => void, expected: number): (step: CallProgress) => void {
  /** The delivery of a device, or its result. */
  let steps = new Map<string, CallProgress>()
  let bytes = 0
  let ended = 0
  let timer: NodeJS.Timeout | undefined
  const send = () => {
    clearTimeout(timer)
    timer = undefined
    flush([...steps.values()])
    steps = new Map()
    bytes = 0
  }
  return (step) => {
    // The first result of a device counts.
    const before = steps.get(step.identity)
    if (before !== undefined && before.kind !== 'delivered') return
    steps.set(step.identity, step)
    if (step.kind !== 'delivered') ended += 1
    // Only the size of answers matters.
    if (step.kind === 'answered') bytes += step.payload.length
    if (ended === expected || steps.size >= collectCount || bytes >= collectBytes) return send()
    timer ??= setTimeout(send, collectMs)
  }
}
