import type { GatewayId } from '@muster/contract'
import type { CallerMessage, CallResult, GatewayDoor, GatewayMessage } from './calls.ts'
import type { Channels } from './channels.ts'

/** Answers are collected up to a time, a number or a size, because a message per answer would cost more than the answer. */
const collectMs = 15
const collectCount = 250
const collectBytes = 512 * 1024

/** Serves a gateway's channel until disposed. */
export async function serveGateway(
  channels: Channels,
  gatewayId: GatewayId,
  door: GatewayDoor,
  onError: (error: Error) => void,
): Promise<AsyncDisposable> {
  const channel = `gateway:${gatewayId}`
  await channels.subscribe(channel, (text) => {
    const message: GatewayMessage = JSON.parse(text)
    if (message.kind === 'desired') return door.pushDesired(message.push)
    if (message.kind === 'close') return door.closeConnection(message.close)

    const send = (answer: CallerMessage) => {
      // The caller notices a lost answer: it waits no longer than the response timeout.
      channels.publish(`caller:${message.caller}`, JSON.stringify(answer)).catch(onError)
    }
    const { callId, call } = message
    send({ kind: 'accepted', callId })
    door.call(
      call,
      collect((results) => send({ kind: 'results', callId, results }), call.identities.length),
    )
  })
  return {
    [Symbol.asyncDispose]: () => channels.unsubscribe(channel),
  }
}

function collect(flush: (results: readonly CallResult[]) => void, expected: number): (result: CallResult) => void {
  let results: CallResult[] = []
  let bytes = 0
  let reported = 0
  let timer: NodeJS.Timeout | undefined
  const send = () => {
    clearTimeout(timer)
    timer = undefined
    flush(results)
    results = []
    bytes = 0
  }
  return (result) => {
    results.push(result)
    reported += 1
    // Only the size of answers matters.
    if (result.kind === 'answered') bytes += sizeOf(result.payload)
    if (reported === expected || results.length >= collectCount || bytes >= collectBytes) return send()
    timer ??= setTimeout(send, collectMs)
  }
}

function sizeOf(payload: unknown): number {
  return typeof payload === 'object' || typeof payload === 'string' ? JSON.stringify(payload).length : 8
}
