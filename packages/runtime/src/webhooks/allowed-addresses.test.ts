import { expect, it } from 'vitest'
import { createAddressCheck } from './allowed-addresses.ts'

const inner = [
  '0.0.0.0',
  '10.1.2.3',
  '100.64.0.1',
  '127.0.0.1',
  '127.255.255.254',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '198.18.0.1',
  '224.0.0.1',
  '239.255.255.255',
  '255.255.255.255',
  '::',
  '::1',
  '::ffff:127.0.0.1',
  '::ffff:a00:1',
  '::FFFF:10.0.0.1',
  '0:0:0:0:0:ffff:c0a8:0101',
  '::10.0.0.1',
  '64:ff9b::10.0.0.1',
  '64:ff9b::7f00:1',
  '64:ff9b:1::1',
  '2001::1',
  '2002:a00:1::1',
  '2001:db8::1',
  'fc00::1',
  'fdff::1',
  'fe80::1',
  'fe80::1%eth0',
  'fec0::1',
  'ff02::1',
  'no address',
  '',
]

const outer = [
  '1.1.1.1',
  '100.128.0.1',
  '172.15.255.255',
  '172.32.0.1',
  '192.169.0.1',
  '2606:4700:4700::1111',
  '::ffff:1.1.1.1',
  '64:ff9b::1.1.1.1',
]

it.each(inner)('W10 %j is no address of a receiver', (address) => {
  expect(createAddressCheck([])(address)).toBe(false)
})

it.each(outer)('W10 %j is an address of a receiver', (address) => {
  expect(createAddressCheck([])(address)).toBe(true)
})

it('W10 an allowed network is open in each form of its addresses, and the next one is not', () => {
  const isAllowed = createAddressCheck(['10.0.0.0/8', 'fd12::/16', '127.0.0.1'])

  expect(['10.9.9.9', '::ffff:10.9.9.9', '64:ff9b::10.9.9.9', 'fd12:1::1', '127.0.0.1'].map(isAllowed)).toEqual(
    Array(5).fill(true),
  )
  expect(['11.0.0.1', '192.168.0.1', 'fd13::1', '127.0.0.2'].map(isAllowed)).toEqual([true, false, false, false])
})
