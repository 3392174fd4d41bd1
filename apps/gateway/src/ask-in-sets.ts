/** Asks a question. Rejects when the set that it was in could not be answered. */
export type Ask<Question, Answer> = (question: Question) => Promise<Answer>

interface Waiting<Question, Answer> {
  readonly question: Question
  readonly answer: (answer: Answer) => void
  readonly fail: (error: unknown) => void
}

/** Two, so that a set that hangs on a dead connection to Postgres does not hold up all others. */
const setsAtOnce = 2

/**
 * Answers questions in sets. A question that comes alone is asked at once; those that come while others are asked make the next set. So a
 * flood costs few statements. A question that nobody waits for any more is not asked: its answer is `unasked`.
 */
export function askInSets<Question, Answer>(
  answer: (questions: readonly Question[]) => Promise<(question: Question) => Answer>,
  { setSize, isWanted, unasked }: { setSize: number; isWanted: (question: Question) => boolean; unasked: Answer },
): Ask<Question, Answer> {
  let waiting: Waiting<Question, Answer>[] = []
  let running = 0

  const next = (): Waiting<Question, Answer>[] => {
    const wanted = waiting.filter((asked) => {
      if (isWanted(asked.question)) return true
      asked.answer(unasked)
      return false
    })
    waiting = wanted.slice(setSize)
    return wanted.slice(0, setSize)
  }
  const run = async () => {
    running += 1
    for (let set = next(); set.length > 0; set = next()) {
      try {
        const answerOf = await answer(set.map(({ question }) => question))
        for (const asked of set) asked.answer(answerOf(asked.question))
      } catch (error) {
        for (const asked of set) asked.fail(error)
      }
    }
    running -= 1
  }

  return (question) =>
    new Promise((resolve, reject) => {
      waiting.push({ question, answer: resolve, fail: reject })
      if (running < setsAtOnce) void run()
    })
}
