import tls from 'node:tls'

/**
 * The SDKs know no port but 443 and 8883, and the service clients take no CA. This moves their sockets to the test's hub and
 * lets them trust its CA unless they are given one, from outside: the SDKs stay as they are. Returns what undoes it.
 */
export function redirectSdks(hub: { httpsPort: number; mqttsPort: number; ca: string }): () => void {
  const { connect } = tls
  const ports: Record<string, number> = { 443: hub.httpsPort, 8883: hub.mqttsPort }
  const redirected = (first: tls.ConnectionOptions, ...rest: []) => {
    const port = ports[String(first.port)]
    return port === undefined ? connect(first, ...rest) : connect({ ...first, port, ca: first.ca ?? hub.ca }, ...rest)
  }
  Object.assign(tls, { connect: redirected })
  return () => {
    Object.assign(tls, { connect })
  }
}
