/** How long the tests with random bytes on running sockets last: MUSTER_TEST_FUZZ_SECONDS, or 10. */
export function fuzzSeconds(): number {
  return Number(process.env.MUSTER_TEST_FUZZ_SECONDS) || 10
}
