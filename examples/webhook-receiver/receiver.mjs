import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'

// A receiver of webhooks, without any package: WEBHOOK_SECRET=... PORT=9000 node receiver.mjs
// It prints each event once, and a line for each call that it refuses.

const { WEBHOOK_SECRET: secret = '', PORT = '9000', HOST = '127.0.0.1' } = process.env
if (secret === '') {
  process.stderr.write('WEBHOOK_SECRET is missing: set the secret with which the webhook was put\n')
  process.exit(1)
}

const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice('whsec_'.length), 'base64') : Buffer.from(secret)
const toleranceSeconds = 5 * 60
const bodyBytesMax = 64 * 1024

/** Ids of events that were handled. The hub delivers at least once. A real receiver keeps them where it keeps what it makes of events. */
const handled = new Set()
const handledMax = 10_000

const server = createServer(async (request, response) => {
  try {
    const body = await readBody(request)
    const complaint = complaintOf(request.headers, body)
    if (complaint !== null) return answer(response, complaint.status, `refused: ${complaint.text}`)
    const id = request.headers['webhook-id']
    if (handled.has(id)) return answer(response, 200, `again: ${id}`)
    // First the work, then the mark: when the work fails, the hub sends the event again.
    handle(JSON.parse(body))
    if (handled.size >= handledMax) handled.delete(handled.values().next().value)
    handled.add(id)
    answer(response, 204)
  } catch (error) {
    answer(response, 500, `failed: ${error.message}`)
  }
})
server.requestTimeout = 10_000
server.listen(Number(PORT), HOST, () => process.stdout.write(`listening on ${server.address().port}\n`))

/** Put your work here. Answer within ten seconds: what takes longer comes after the answer. */
function handle(event) {
  process.stdout.write(`event: ${JSON.stringify(event)}\n`)
}

/** What is wrong with a call. Null: it is from the hub, as it was sent, and new. */
function complaintOf(headers, body) {
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures } = headers
  if (body === null) return { status: 413, text: 'the body is too large' }
  if (id === undefined || signatures === undefined || !/^\d+$/.test(timestamp ?? '')) {
    return { status: 400, text: 'webhook-id, webhook-timestamp or webhook-signature is missing' }
  }
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > toleranceSeconds) {
    return { status: 401, text: 'the timestamp is more than five minutes away' }
  }
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest()
  // There may be several, while a secret is changed.
  const isSigned = signatures.split(' ').some((each) => {
    const [version, signature = ''] = each.split(',')
    const given = Buffer.from(signature, 'base64')
    return version === 'v1' && given.length === expected.length && timingSafeEqual(given, expected)
  })
  return isSigned ? null : { status: 401, text: 'the signature does not fit' }
}

/** As it came: the signature is over these bytes, and JSON that is written again may differ. Null: it is too large. */
async function readBody(request) {
  const pieces = []
  let bytes = 0
  for await (const piece of request) {
    bytes += piece.length
    if (bytes > bodyBytesMax) return null
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString()
}

function answer(response, status, text) {
  if (text !== undefined) process.stdout.write(`${text}\n`)
  response.writeHead(status).end()
}
