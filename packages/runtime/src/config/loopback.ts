/** Whether a server on this address can be called as `localhost`. */
export function reachesLocalhost(address: string): boolean {
  return isLoopback(address) || address === '::' || address === '0.0.0.0'
}

export function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.')
}
