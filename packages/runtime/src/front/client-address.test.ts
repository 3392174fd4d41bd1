import { expect, it } from 'vitest'
import { createClientAddress } from './client-address.ts'

it.each([
  ['nobody is trusted', [], '10.0.0.1', '203.0.113.9', '10.0.0.1'],
  ['the connection is of no balancer', ['10.0.0.0/8'], '192.0.2.1', '203.0.113.9', '192.0.2.1'],
  ['a balancer says it', ['10.0.0.0/8'], '10.0.0.1', '203.0.113.9', '203.0.113.9'],
  ['the client has invented the beginning', ['10.0.0.0/8'], '10.0.0.1', '1.2.3.4, 203.0.113.9', '203.0.113.9'],
  ['there are two balancers', ['10.0.0.0/8', '172.16.0.9'], '10.0.0.1', '203.0.113.9, 172.16.0.9', '203.0.113.9'],
  ['all of them are balancers', ['10.0.0.0/8'], '10.0.0.1', '10.0.0.7', '10.0.0.7'],
  ['the header has no address', ['10.0.0.0/8'], '10.0.0.1', 'unknown', '10.0.0.1'],
  ['there is no header', ['10.0.0.0/8'], '10.0.0.1', '', '10.0.0.1'],
  ['the socket maps IPv4 into IPv6', ['10.0.0.0/8'], '::ffff:10.0.0.1', '2001:db8::7', '2001:db8::7'],
  ['the balancer has IPv6', ['2001:db8::/32'], '2001:db8::1', '203.0.113.9', '203.0.113.9'],
] as const)('where a request comes from, when %s', (_, trusted, peer, forwardedFor, expected) => {
  expect(createClientAddress(trusted)(peer, forwardedFor)).toBe(expected)
})
