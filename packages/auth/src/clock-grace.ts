/** How long a token is accepted after its expiry, because clocks of clients may run behind. */
export const clockGraceMs = 5 * 60_000
