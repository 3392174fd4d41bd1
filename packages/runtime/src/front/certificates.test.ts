import { X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { loadTls } from './certificates.ts'

let dataDir = ''
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'muster-tls-'))
})
afterEach(() => rm(dataDir, { recursive: true }))

const today = new Date('2026-03-01T00:00:00Z')
const daysLater = (days: number) => new Date(today.getTime() + days * 24 * 3600_000)
const own = (hostNames = ['localhost']) => ({ tls: null, dataDir, hostNames })

it('makes a certificate for every host name and the loopback addresses, signed by its own CA', async () => {
  const { cert, ca } = await loadTls(own(['hub.example.com', 'hub']), today)

  const certificate = new X509Certificate(cert)
  for (const name of ['hub.example.com', 'hub', 'localhost']) expect(certificate.checkHost(name)).toBe(name)
  for (const address of ['127.0.0.1', '::1']) expect(certificate.checkIP(address)).toBe(address)
  expect(certificate.verify(new X509Certificate(ca).publicKey)).toBe(true)
  expect(new X509Certificate(ca).ca).toBe(true)
})

it('makes a certificate for a host that is an address, and keeps it over a restart', async () => {
  const first = await loadTls(own(['192.0.2.7']), today)

  expect(new X509Certificate(first.cert).checkIP('192.0.2.7')).toBe('192.0.2.7')
  expect((await loadTls(own(['192.0.2.7']), today)).cert).toBe(first.cert)
})

it('keeps CA and certificate over a restart', async () => {
  const first = await loadTls(own(), today)

  expect(await loadTls(own(), daysLater(100))).toEqual(first)
})

it('renews a certificate that nears its end, under the same CA', async () => {
  const first = await loadTls(own(), today)

  const second = await loadTls(own(), daysLater(350))

  expect(second.ca).toBe(first.ca)
  expect(second.cert).not.toBe(first.cert)
})

it('makes a new certificate when the host names have changed, under the same CA', async () => {
  const first = await loadTls(own(['hub', 'old']), today)

  const second = await loadTls(own(['hub']), today)

  expect(second.ca).toBe(first.ca)
  expect(new X509Certificate(second.cert).checkHost('old')).toBeUndefined()
})

it('gives several processes that start at once the same CA', async () => {
  const starts = await Promise.all(Array.from({ length: 5 }, () => loadTls(own(), today)))

  expect(new Set(starts.map(({ ca }) => ca)).size).toBe(1)
})

it('lets nobody else read the keys', async () => {
  await loadTls(own(), today)

  for (const file of ['ca-key.pem', 'server-key.pem']) {
    expect((await stat(join(dataDir, 'tls', file))).mode & 0o777).toBe(0o600)
  }
})

it('names the file that clients have to trust', async () => {
  const { ca, caFile } = await loadTls(own(), today)

  expect(await readFile(caFile, 'utf8')).toBe(ca)
})

it('uses the configured key and certificate', async () => {
  const { key, cert } = await loadTls(own(), today)
  const [keyFile, certFile] = [join(dataDir, 'given.key'), join(dataDir, 'given.pem')]
  await writeFile(keyFile, key)
  await writeFile(certFile, cert)

  const given = await loadTls({ ...own(), tls: { keyFile, certFile } }, today)

  expect(given).toEqual({ key, cert, ca: expect.stringContaining(cert), caFile: certFile })
})

it('has clients trust a given certificate and the usual authorities, of which one may have signed it', async () => {
  const { key, cert } = await loadTls(own(), today)
  const [keyFile, certFile] = [join(dataDir, 'given.key'), join(dataDir, 'given.pem')]
  await writeFile(keyFile, key)
  await writeFile(certFile, cert)

  const { ca } = await loadTls({ ...own(), tls: { keyFile, certFile } }, today)

  for (const authority of [cert, ...rootCertificates]) expect(ca).toContain(authority)
  expect(ca.match(/-----BEGIN CERTIFICATE-----$/gm)).toHaveLength(1 + rootCertificates.length)
})

it('refuses a file that holds no certificate, or no key, and names that file', async () => {
  const { key, caFile } = await loadTls(own(), today)
  const [keyFile, otherFile] = [join(dataDir, 'given.key'), join(dataDir, 'notes.txt')]
  await writeFile(keyFile, key)
  await writeFile(otherFile, 'buy milk')
  const load = (certFile: string, keyFile: string) => loadTls({ ...own(), tls: { certFile, keyFile } }, today)

  await expect(load(otherFile, keyFile)).rejects.toThrow(
    `MUSTER_TLS_CERT "${otherFile}" is not a certificate in PEM form`,
  )
  await expect(load(caFile, otherFile)).rejects.toThrow(
    `MUSTER_TLS_KEY "${otherFile}" is not a private key in PEM form without a passphrase`,
  )
})

it('refuses a key that does not belong to the certificate', async () => {
  const { key, caFile } = await loadTls(own(), today)
  const keyFile = join(dataDir, 'given.key')
  await writeFile(keyFile, key)

  await expect(loadTls({ ...own(), tls: { keyFile, certFile: caFile } }, today)).rejects.toThrow(
    `MUSTER_TLS_KEY "${keyFile}" is not the private key of MUSTER_TLS_CERT "${caFile}"`,
  )
})

it('says which folder cannot be written', async () => {
  const occupied = join(dataDir, 'file')
  await writeFile(occupied, '')

  await expect(loadTls({ ...own(), dataDir: occupied }, today)).rejects.toThrow(
    `the certificates in "${join(occupied, 'tls')}" cannot be kept (ENOTDIR): set MUSTER_DATA_DIR`,
  )
})

it.runIf(process.platform === 'linux')('says so too where no folder can be made', async () => {
  await expect(loadTls({ ...own(), dataDir: '/proc/muster/data' }, today)).rejects.toThrow(
    'the certificates in "/proc/muster/data/tls" cannot be kept (ENOENT): set MUSTER_DATA_DIR',
  )
})
