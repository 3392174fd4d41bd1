import { HubError, limits } from '@muster/contract'
import type { HonoRequest, MiddlewareHandler } from 'hono'
import pLimit, { type LimitFunction } from 'p-limit'
import type { ApiEnv } from './endpoint.ts'

/** Lets so many large bodies be read and served at a time, in the whole process: one may take 100 MB until it is in the store. */
export function limitLargeBodies(): LimitFunction {
  return pLimit(4)
}

/**
 * Reads a request's body, of any content type, with a length or in chunks. Beyond the size of an ordinary one it waits for its
 * turn, unread; the front bounds that, too, when it cuts requests that take too long.
 * @throws HubError MessageTooLarge, before the first byte when the length says so; GenericBadRequest when it breaks off.
 */
export function receiveBody(bytesMax: number, largeBodies: LimitFunction): MiddlewareHandler<ApiEnv> {
  return async function receiveRequestBody(c, next) {
    const announced = c.req.header('content-length')
    if (Number(announced) > bytesMax) throw tooLarge(bytesMax)
    const serve = async () => {
      c.set('body', announced === undefined ? await collect(c.req, bytesMax) : await readWhole(c.req))
      await next()
    }
    const mayBeLarge = Number(announced ?? bytesMax) > limits.requestBodyBytes
    await (mayBeLarge ? largeBodies(serve) : serve())
  }
}

function readWhole(req: HonoRequest): Promise<Uint8Array> {
  return receive(async () => new Uint8Array(await req.arrayBuffer()))
}

/** hono's own limit for bodies cannot be had here: it builds a new request of the adapter's, which the platform refuses. */
function collect({ raw: { body } }: HonoRequest, bytesMax: number): Promise<Uint8Array> {
  return receive(async () => {
    const pieces: Uint8Array[] = []
    let bytes = 0
    // A stream that is cancelled closes the connection, before the caller has heard why.
    for await (const piece of body?.values({ preventCancel: true }) ?? []) {
      bytes += piece.byteLength
      if (bytes > bytesMax) throw tooLarge(bytesMax)
      pieces.push(piece)
    }
    return Buffer.concat(pieces)
  })
}

async function receive(read: () => Promise<Uint8Array>): Promise<Uint8Array> {
  try {
    return await read()
  } catch (cause) {
    if (cause instanceof HubError) throw cause
    // That its caller has hung up must not be taken for the loss of a connection of ours.
    throw new HubError('GenericBadRequest', { message: 'the body broke off before its end; send it again', cause })
  }
}

function tooLarge(bytesMax: number): HubError {
  return new HubError('MessageTooLarge', {
    message: `the body is over ${bytesMax} bytes, the most that is accepted here`,
  })
}
