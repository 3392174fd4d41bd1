import { BlockList, isIP } from 'node:net'

/**
 * Where a request comes from, by the address of its connection and its `X-Forwarded-For`. Each balancer adds the address that it sees at
 * the end of the header, and everything before may be invented by the client. So the header is read from its end, and as far as the
 * addresses are `trusted`: addresses and subnets.
 */
export function createClientAddress(trusted: readonly string[]): (peer: string, forwardedFor: string) => string {
  const proxies = new BlockList()
  for (const each of trusted) {
    const [address = '', bits] = each.split('/')
    if (bits === undefined) proxies.addAddress(address, familyOf(address))
    else proxies.addSubnet(address, Number(bits), familyOf(address))
  }
  const isProxy = (address: string) => isIP(address) !== 0 && proxies.check(address, familyOf(address))

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

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4'
}

/** A socket that listens on `::` shows an IPv4 address as `::ffff:10.0.0.1`. */
function withoutMapping(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '')
}
