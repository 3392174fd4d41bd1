import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { eventually } from '@muster/testkit'
import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest'
import { loadTls } from '../src/front/certificates.ts'
import { openTls, tlsOptions } from '../src/front/live-tls.ts'
import { type Bundle, makeAuthority, makeServer } from '../src/front/local-authority.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'muster-live-'))
})
afterEach(() => rm(folder, { recursive: true }))

const now = new Date()
const everyMs = 20

async function newPair(): Promise<Bundle> {
  return makeServer(await makeAuthority(now), ['localhost'], now)
}

/** A TLS server with the live certificate, and what was reported of it. */
async function serve(load: () => ReturnType<typeof loadTls>) {
  const loaded: Date[] = []
  const refused: string[] = []
  const live = await openTls(load, {
    everyMs,
    onLoaded: ({ expiresAt }) => loaded.push(expiresAt),
    onRefused: (error) => refused.push(String(error)),
  })
  const server = createServer(tlsOptions(live.current), (socket) => socket.pipe(socket)).listen(0)
  live.present(server)
  await once(server, 'listening')
  onTestFinished(() => {
    live[Symbol.dispose]()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { port, loaded, refused, live }
}

async function opened(port: number): Promise<TLSSocket> {
  const socket = connect({ port, host: 'localhost', rejectUnauthorized: false })
  onTestFinished(() => void socket.destroy())
  await once(socket, 'secureConnect')
  return socket
}

async function presentedOn(port: number): Promise<string | undefined> {
  const socket = await opened(port)
  const presented = socket.getPeerX509Certificate()?.fingerprint256
  socket.destroy()
  return presented
}

const fingerprint = ({ cert }: Bundle) => new X509Certificate(cert).fingerprint256

/** The two files, each replaced by a rename. */
async function givenFiles() {
  const files = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') }
  const put = async ({ key, cert }: Bundle) => {
    for (const [file, text] of [
      [files.certFile, cert],
      [files.keyFile, key],
    ] as const) {
      await writeFile(`${file}.new`, text)
      await rename(`${file}.new`, file)
    }
  }
  return { put, load: () => loadTls({ tls: files, dataDir: folder, hostNames: ['localhost'] }, new Date()) }
}

it('H1 presents a certificate whose files were replaced, and leaves open connections as they are', async () => {
  const [first, second] = [await newPair(), await newPair()]
  const { put, load } = await givenFiles()
  await put(first)
  const { port, loaded } = await serve(load)
  const open = await opened(port)

  expect(await presentedOn(port)).toBe(fingerprint(first))
  await put(second)

  await eventually(async () => expect(await presentedOn(port)).toBe(fingerprint(second)))
  expect(loaded).toEqual([first, second].map(({ cert }) => new Date(new X509Certificate(cert).validTo)))
  open.write('still here')
  expect(String((await once(open, 'data'))[0])).toBe('still here')
})

it('H1 follows the link of a mounted secret when it is swapped', async () => {
  const pairs = [await newPair(), await newPair()]
  for (const [index, { key, cert }] of pairs.entries()) {
    await mkdir(join(folder, `..v${index}`))
    await writeFile(join(folder, `..v${index}`, 'tls.key'), key)
    await writeFile(join(folder, `..v${index}`, 'tls.crt'), cert)
  }
  const swapTo = async (version: string) => {
    await symlink(version, join(folder, '..data_tmp'))
    await rename(join(folder, '..data_tmp'), join(folder, '..data'))
  }
  await swapTo('..v0')
  for (const name of ['tls.key', 'tls.crt']) await symlink(join('..data', name), join(folder, name))
  const files = { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') }
  const { port, refused } = await serve(() => loadTls({ tls: files, dataDir: folder, hostNames: [] }, new Date()))

  await swapTo('..v1')
  await rm(join(folder, '..v0'), { recursive: true })

  await eventually(async () => expect(await presentedOn(port)).toBe(pairs.map(fingerprint)[1]))
  expect(refused).toEqual([])
})

it('H2 keeps the old certificate while the files do not fit or are gone, says so once, and takes the next good ones', async () => {
  const [first, second] = [await newPair(), await newPair()]
  const { put, load } = await givenFiles()
  await put(first)
  let loads = 0
  const { port, refused } = await serve(() => {
    loads += 1
    return load()
  })

  await put({ key: first.key, cert: second.cert })
  await eventually(() => expect(refused).toHaveLength(1))
  const before = loads
  await eventually(() => expect(loads).toBeGreaterThan(before + 3))
  expect(await presentedOn(port)).toBe(fingerprint(first))
  await put({ key: first.key, cert: 'no certificate' })
  await rm(join(folder, 'key.pem'))
  await eventually(() => expect(refused.at(-1)).toContain('key.pem" cannot be read (ENOENT)'))

  expect(refused[0]).toContain('is not the private key of')
  expect(new Set(refused).size).toBe(refused.length)
  expect(await presentedOn(port)).toBe(fingerprint(first))
  await put(second)
  await eventually(async () => expect(await presentedOn(port)).toBe(fingerprint(second)))
})

it('H3 renews its own certificate while it runs, 60 days before its end and under the same CA', async () => {
  let today = now
  const config = { tls: null, dataDir: folder, hostNames: ['localhost'] }
  const { port, live, loaded } = await serve(() => loadTls(config, today))
  const [before, ca] = [live.current.cert, live.current.ca]

  today = new Date(now.getTime() + 338 * 24 * 3600_000)
  await eventually(() => expect(loaded).toHaveLength(2))

  expect(live.current.ca).toBe(ca)
  expect(live.current.cert).not.toBe(before)
  expect(await presentedOn(port)).toBe(new X509Certificate(live.current.cert).fingerprint256)
})
