/** How long the tests go on that throw random bytes at running sockets: MUSTER_FUZZ_SECONDS, or 10. */
export function fuzzSeconds(): number {
  return Number(process.env.MUSTER_FUZZ_SECONDS) || 10
}
