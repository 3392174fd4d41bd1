import { isIP } from 'node:net'
import { createNetworkCheck } from '../config/networks.ts'

/**
 * Where a request comes from, by the address of its connection and its `X-Forwarded-For`. Each balancer adds the address that it sees at
 * the end of the header, and everything before may be invented by the client. So the header is read from its end, and as far as the
 * addresses are `trusted`: addresses and subnets.
 */
export function createClientAddress(trusted: readonly string[]): (peer: string, forwardedFor: string) => string {
  const isProxy = createNetworkCheck(trusted)

  return (peer, forwardedFor) => {
    let address = withoutMapping(peer)
    const hops = forwardedFor.split(',').map((hop) => hop.trim())
    for (const hop of hops.toReversed()) {
      // What is no address was not written by a balancer of ours.
      if (!isProxy(address) || isIP(hop) === 0) break
      address = hop
    }
    return address
  }
}

/** A socket that listens on `::` shows an IPv4 address as `::ffff:10.0.0.1`. */
function withoutMapping(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '')
}
