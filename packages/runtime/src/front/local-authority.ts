// The X.509 library needs this before it is loaded.
import 'reflect-metadata'
import { X509Certificate as Certificate, createPrivateKey, randomUUID, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import * as x509 from '@peculiar/x509'

/** A private key and its certificate, PEM, in one text, so that they are kept and replaced together. */
export interface Bundle {
  readonly key: string
  readonly cert: string
}

const dayMs = 24 * 3600_000
const authorityDays = 20 * 365
/** Browsers and operating systems accept 398 days at most. */
const serverDays = 397
const renewDays = 60

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/** A new CA that signs server certificates only. Its name is unique, so that a trust store tells two hubs apart. */
export async function makeAuthority(now: Date): Promise<Bundle> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=Muster local CA ${randomUUID().slice(0, 8)}`,
    ...validity(now, authorityDays),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return toBundle(keys.privateKey, certificate)
}

/** A new server certificate for the host names, `localhost` and the loopback addresses. */
export async function makeServer(authority: Bundle, hostNames: readonly string[], now: Date): Promise<Bundle> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const issuer = new x509.X509Certificate(authority.cert)
  const issuerKey = createPrivateKey(authority.key).export({ format: 'der', type: 'pkcs8' })
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${hostNames[0] ?? 'localhost'}`,
    issuer: issuer.subject,
    ...validity(now, serverDays),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: await webcrypto.subtle.importKey('pkcs8', issuerKey, algorithm, false, ['sign']),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(alternativeNames(hostNames)),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return toBundle(keys.privateKey, certificate)
}

/** Whether a stored server certificate is still good: signed by this CA, for exactly these names, with 60 days left. */
export function isCurrent(server: Bundle, authority: Bundle, hostNames: readonly string[], now: Date): boolean {
  if (!isPair(server)) return false
  const certificate = new Certificate(server.cert)
  const daysLeft = (Date.parse(certificate.validTo) - now.getTime()) / dayMs
  const names = new x509.X509Certificate(server.cert).getExtension(x509.SubjectAlternativeNameExtension)?.names
  return (
    daysLeft > renewDays &&
    certificate.verify(new Certificate(authority.cert).publicKey) &&
    JSON.stringify(names?.toJSON()) === JSON.stringify(alternativeNames(hostNames))
  )
}

/** Whether the key belongs to the certificate; false too when either is not readable. */
export function isPair({ key, cert }: Bundle): boolean {
  try {
    return new Certificate(cert).checkPrivateKey(createPrivateKey(key))
  } catch {
    return false
  }
}

export function isCertificate(text: string): boolean {
  return succeeds(() => new Certificate(text))
}

export function isKey(text: string): boolean {
  return succeeds(() => createPrivateKey(text))
}

function succeeds(parse: () => unknown): boolean {
  try {
    parse()
    return true
  } catch {
    return false
  }
}

export function formatBundle({ key, cert }: Bundle): string {
  return `${key}${cert}`
}

export function parseBundle(text: string): Bundle {
  const cert = text.indexOf('-----BEGIN CERTIFICATE-----')
  return { key: text.slice(0, cert), cert: text.slice(cert) }
}

function alternativeNames(hostNames: readonly string[]): { type: 'dns' | 'ip'; value: string }[] {
  const names = new Set([...hostNames.map((name) => name.toLowerCase()), 'localhost', '127.0.0.1', '::1'])
  return [...names].map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value }))
}

/** Valid from an hour ago, because the clock of a device may be behind. */
function validity(now: Date, days: number): { serialNumber: string; notBefore: Date; notAfter: Date } {
  return {
    serialNumber: randomUUID().replaceAll('-', ''),
    notBefore: new Date(now.getTime() - 3600_000),
    notAfter: new Date(now.getTime() + days * dayMs),
  }
}

async function toBundle(privateKey: webcrypto.CryptoKey, certificate: x509.X509Certificate): Promise<Bundle> {
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', privateKey)
  return { key: `${x509.PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n`, cert: `${certificate.toString('pem')}\n` }
}
