import { isIP } from 'node:net'
import { createNetworkCheck } from '../config/networks.ts'

/**
 * Addresses that are not of the public internet: a webhook that reached them would let a caller of the API look around in the network of
 * the hub. See the registries of special addresses of IANA.
 */
const specialV4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]

/** Only 2000::/3 is given to anybody. In it lie documentation, and tunnels that would reach any IPv4 address: Teredo and 6to4. */
const publicV6 = '2000::/3'
const specialV6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']

/** Whether a webhook may be sent to an address. `allowed`: networks where it may, though they are not public. */
export function createAddressCheck(allowed: readonly string[]): (address: string) => boolean {
  const isNamed = createNetworkCheck(allowed)
  const isSpecial = createNetworkCheck([...specialV4, ...specialV6])
  const isGiven = createNetworkCheck(['0.0.0.0/0', publicV6])

  return (text) => {
    const address = plainAddress(text)
    return address !== null && (isNamed(address) || (isGiven(address) && !isSpecial(address)))
  }
}

/**
 * The IPv4 address inside an IPv6 address that stands for one: `::ffff:10.0.0.1`, and `64:ff9b::10.0.0.1` of a translator (NAT64). Other
 * addresses as they are. Null: it is no address, or has a zone.
 */
function plainAddress(address: string): string | null {
  if (isIP(address) === 4) return address
  if (isIP(address) === 0 || !URL.canParse(`http://[${address}]`)) return null
  const plain = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [, high, low] = /^(?:::ffff:|64:ff9b::)(?:([0-9a-f]{1,4}):)?([0-9a-f]{1,4})$/.exec(plain) ?? []
  if (low === undefined) return plain
  const bits = Number.parseInt(high ?? '0', 16) * 0x1_0000 + Number.parseInt(low, 16)
  return [24, 16, 8, 0].map((shift) => Math.floor(bits / 2 ** shift) % 256).join('.')
}
